"""The training job with a real trainer: from a folder of drawn radiographs to a draft version."""

import json
import threading
import time

import pytest

from tests.factories import make_classifier
from workers.training import job, lease
from worklist import database, settings
from worklist.classifiers import run_log, runs, versions
from worklist.classifiers.runs import Request
from worklist.dataset.synthesis import synthesize
from worklist.demo import preparation
from worklist.tables import ClassifierState, TrainingState

RECIPE = {"layers": "head", "input_size_px": 64}
CHAMPION = "demo-densenet201"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "MURA-v1.1"
    synthesize(folder, patients=110, valid_share=0.3, longest_px=160)
    return folder


@pytest.fixture
def demo_site(site, monkeypatch):
    monkeypatch.setenv("WORKLIST_DEMO", "true")
    settings.current.cache_clear()
    preparation.register_classifier()
    return settings.current()


def ask(folder, **values):
    with database.transaction() as session:
        name = versions.in_state(session, ClassifierState.CHAMPION).name
        request = Request("next", RECIPE, base=name, verdicts=False, folder=str(folder))
        return runs.ask(session, Request(**{**vars(request), **values}), "adam").id


def outcome(run_id):
    with database.reading() as session:
        run = runs.existing(session, run_id)
        return run, [event.message for event in run_log.told(session, run_id)]


def test_a_run_becomes_a_draft_with_a_card_that_compares_it_with_the_champion(demo_site, folder):
    run_id = ask(folder)
    job.train(run_id)
    run, messages = outcome(run_id)
    assert (run.state, run.reason) == (TrainingState.DONE, "")
    with database.reading() as session:
        version = versions.with_figures(session, "next")
        champion = versions.in_state(session, ClassifierState.CHAMPION)
    assert (version.id, version.state, version.registered_by) == (run.version_id, ClassifierState.DRAFT, "adam")
    assert version.is_demo
    card = version.card
    assert card["data"]["snapshot_sha256"] == run.snapshot_sha256
    assert card["start"]["version"] == champion.name
    assert card["comparison"]["champion_sha256"] == champion.weights_sha256
    assert card["comparison"]["studies"] > 5
    assert {test["key"] for test in card["comparison"]["tests"]} >= {"enough_cases", "auc"}
    assert card["evaluation"]
    assert len(version.calibrations) > 1
    assert any("labelled images of 110 patients" in message for message in messages)


def test_what_cannot_be_trained_with_fails_in_words(demo_site, folder):
    run_id = ask(folder / "nowhere")
    job.train(run_id)
    run, _ = outcome(run_id)
    assert run.state is TrainingState.FAILED
    assert "nowhere" in run.reason


def test_the_reason_of_a_trainer_that_refuses_is_that_of_the_run(demo_site, folder):
    with database.transaction() as session:
        make_classifier(session, name="gone", state=ClassifierState.DRAFT, weights_path="/nowhere/gone.npz")
    run_id = ask(folder, base="gone")
    job.train(run_id)
    run, _ = outcome(run_id)
    assert run.state is TrainingState.FAILED
    assert "gone.npz cannot be read" in run.reason


def test_whoever_cancels_gets_the_worker_back_within_seconds(demo_site, folder, monkeypatch):
    monkeypatch.setattr(lease, "SECONDS_BETWEEN", 0.1)
    run_id = ask(folder)
    thread = threading.Thread(target=job.train, args=(run_id,))
    thread.start()
    deadline = time.monotonic() + 60
    while not outcome(run_id)[1] and time.monotonic() < deadline:
        time.sleep(0.1)
    with database.transaction() as session:
        runs.cancel(session, run_id, "adam")
    thread.join(60)
    run, _ = outcome(run_id)
    assert (run.state, run.reason) == (TrainingState.CANCELLED, "An administrator cancelled it.")
    assert run.version_id is None


def test_a_run_goes_on_with_its_first_snapshot(demo_site, folder):
    run_id = ask(folder)
    job.train(run_id)
    snapshot = runs.folder(outcome(run_id)[0]) / "snapshot.jsonl"
    lines = [json.loads(line) for line in snapshot.read_text().splitlines()]
    assert {line["role"] for line in lines} == {"fit", "tune", "test"}


def test_a_job_that_comes_twice_is_done_once(demo_site, folder):
    run_id = ask(folder / "nowhere")
    job.train(run_id)
    job.train(run_id)
    assert outcome(run_id)[0].attempt == 1
