"""A training run: asked for, claimed, followed, cancelled, taken over from a dead worker."""

import pytest
from sqlalchemy import select

from tests.factories import make_classifier
from worklist import database, jobs
from worklist.classifiers import runs
from worklist.classifiers.runs import Request
from worklist.errors import Conflict, Invalid, NotFound
from worklist.tables import AuditEvent, TrainingRun, TrainingState


@pytest.fixture
def run(session):
    make_classifier(session, name="a-1")
    return runs.ask(session, Request("b-1", {}, base="a-1"), "adam")


def test_a_run_is_a_row_with_a_job_after_the_commit(site, sent_jobs):
    with database.transaction() as session:
        run = runs.ask(session, Request("b-1", {}, start="scratch"), "adam")
        assert (run.state, run.start, run.requested_by) == (TrainingState.QUEUED, "scratch", "adam")
        assert sent_jobs == []
    assert sent_jobs.ids(jobs.TRAIN) == [run.id]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": ""}, "A name has 1 to 64 letters"),
        ({"name": "../x"}, r"'\.\./x' has not"),
        ({"start": "magic"}, "version, imagenet, scratch, not 'magic'"),
        ({"verdicts": False}, "There is nothing to learn from"),
    ],
)
def test_what_cannot_be_is_refused_in_words(session, values, told):
    with pytest.raises(Invalid, match=told):
        runs.ask(session, Request(**{"name": "b-1", "recipe": {}, "start": "scratch", **values}), "adam")


def test_a_base_that_nobody_registered_is_named(session):
    with pytest.raises(NotFound, match="No classifier version is named z-9"):
        runs.ask(session, Request("b-1", {}, base="z-9"), "adam")


@pytest.mark.parametrize("name", ["a-1", "b-1"])
def test_a_name_is_given_once(session, run, name):
    with pytest.raises(Conflict, match=f"The name {name} is taken"):
        runs.ask(session, Request(name, {}, start="scratch"), "adam")


def test_one_worker_has_it(session, run):
    assert runs.claim(session, run.id, "w:1") is not None
    assert runs.claim(session, run.id, "w:2") is None
    assert runs.due(session) == []


def test_a_run_whose_job_was_lost_is_due(session, run, frozen):
    assert runs.due(session) == []
    frozen.advance(minutes=1)
    run.requested_at = frozen.time
    frozen.advance(minutes=1)
    session.flush()
    assert runs.due(session) == [run.id]


def test_a_run_whose_worker_died_is_taken_over_and_the_old_one_may_not_go_on(session, run, frozen):
    runs.claim(session, run.id, "w:1")
    assert runs.renew(session, run.id, 1)
    frozen.advance(hours=1)
    assert runs.due(session) == [run.id]
    assert runs.claim(session, run.id, "w:2").attempt == 2
    assert not runs.renew(session, run.id, 1)
    assert runs.renew(session, run.id, 2)


def test_runs_are_offered_one_at_a_time_and_none_beside_one_that_runs(session, frozen, run):
    second = runs.ask(session, Request("b-2", {}, start="scratch"), "adam")
    frozen.advance(minutes=1)
    assert runs.due(session) == [run.id]
    runs.claim(session, run.id, "w:1")
    assert runs.due(session) == []
    runs.end(session, run, TrainingState.DONE)
    session.flush()
    assert runs.due(session) == [second.id]


def test_a_run_that_is_given_back_is_gone_on_with_at_once(session, run):
    runs.claim(session, run.id, "w:1")
    runs.let_go(session, run.id, 1)
    session.flush()
    assert runs.due(session) == [run.id]
    assert runs.claim(session, run.id, "w:2").attempt == 2
    runs.let_go(session, run.id, 1)
    session.flush()
    assert runs.due(session) == []


def test_only_who_has_a_run_may_say_how_it_ended(session, run):
    assert runs.held(session, run.id, 0) is None
    runs.claim(session, run.id, "w:1")
    assert runs.held(session, run.id, 1) is run
    assert runs.held(session, run.id, 2) is None
    runs.end(session, run, TrainingState.DONE)
    session.flush()
    assert runs.held(session, run.id, 1) is None


def test_a_recipe_that_breaks_a_rule_is_refused_before_anything_is_stored(session):
    with pytest.raises(Invalid, match="The recipe's epochs is 0"):
        runs.ask(session, Request("b-1", {"epochs": 0}, start="scratch"), "adam")
    assert runs.newest(session) == []


def test_a_run_that_brings_every_worker_down_fails_in_words(session, run, frozen):
    for _ in range(runs.MAXIMUM_ATTEMPTS):
        assert runs.claim(session, run.id, "w:1") is not None
        frozen.advance(hours=1)
    assert runs.claim(session, run.id, "w:1") is None
    assert (run.state, run.reason) == (TrainingState.FAILED, "The worker stopped 5 times during this training.")


def test_one_that_waits_is_cancelled_at_once(session, run):
    assert runs.cancel(session, run.id, "adam").state is TrainingState.CANCELLED
    assert runs.claim(session, run.id, "w:1") is None


def test_one_that_runs_is_told_to_stop(session, run):
    runs.claim(session, run.id, "w:1")
    assert runs.cancel(session, run.id, "adam").state is TrainingState.RUNNING
    session.flush()
    assert not runs.renew(session, run.id, 1)
    runs.end(session, run, TrainingState.CANCELLED)
    with pytest.raises(Conflict, match="has ended already"):
        runs.cancel(session, run.id, "adam")


def test_who_asked_and_what_came_of_it_is_audited(session, run):
    runs.claim(session, run.id, "w:1")
    runs.end(session, run, TrainingState.FAILED, reason="No memory.")
    session.flush()
    events = session.scalars(select(AuditEvent).where(AuditEvent.about_type == "training_run")).all()
    assert [(event.who, event.action) for event in events] == [
        ("adam", "training.requested"),
        ("worker", "training.ended"),
    ]


def test_there_is_no_such_run(session):
    with pytest.raises(NotFound, match="There is no such training run"):
        runs.existing(session, 99)
    assert session.scalars(select(TrainingRun)).all() == []
