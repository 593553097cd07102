"""A run's lease: kept by signs of life, lost when somebody cancels or takes the run over."""

import time

import pytest

from tests.factories import make_classifier
from workers.training import lease
from workers.training.lease import Lease
from worklist import clock, database
from worklist.classifiers import runs
from worklist.classifiers.runs import Request


@pytest.fixture
def run(site, monkeypatch):
    monkeypatch.setattr(lease, "SECONDS_BETWEEN", 0.05)
    with database.transaction() as session:
        make_classifier(session, name="a-1")
        run = runs.ask(session, Request("b-1", {}, base="a-1"), "adam")
    with database.transaction() as session:
        return runs.claim(session, run.id, "w:1")


def within_seconds(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_lease_is_renewed_while_its_worker_lives(run):
    def is_renewed():
        with database.reading() as session:
            return runs.existing(session, run.id).lease_expires_at > run.lease_expires_at

    with Lease(run.id, run.attempt) as held:
        assert within_seconds(is_renewed)
        assert not held.is_lost()


def test_whoever_cancels_takes_it(run):
    with Lease(run.id, run.attempt) as held:
        with database.transaction() as session:
            runs.cancel(session, run.id, "adam")
        assert within_seconds(held.is_lost)


def test_another_worker_takes_it(run):
    with database.transaction() as session:
        runs.existing(session, run.id).lease_expires_at = clock.now() - runs.LEASE
        session.flush()
        assert runs.claim(session, run.id, "w:2").attempt == 2
    with Lease(run.id, run.attempt) as held:
        assert within_seconds(held.is_lost)
