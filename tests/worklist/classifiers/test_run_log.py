"""What a training run tells: log and curves."""

import pytest

from worklist.classifiers import run_log, runs
from worklist.classifiers.run_log import Point
from worklist.classifiers.runs import Request


@pytest.fixture
def run(session):
    return runs.ask(session, Request("next", {"layers": "head"}, start="scratch"), "adam")


def test_the_log_has_what_says_something_and_the_last_of_it(session, run):
    for number in range(4):
        run_log.add(session, run.id, Point("images", step=number, steps=4))
        run_log.add(session, run.id, Point("start", message=f"sentence {number}"))
    assert [event.message for event in run_log.told(session, run.id, limit=2)] == ["sentence 2", "sentence 3"]
    assert run_log.last(session, run.id).message == "sentence 3"


def test_curves_have_the_points_that_teach_something(session, run):
    assert run_log.last(session, run.id) is None
    run_log.add(session, run.id, Point("features", step=1, steps=9))
    run_log.add(session, run.id, Point("head", metrics={"study_kappa": 0.4}))
    run_log.add(session, run.id, Point("fine-tuning", epoch=1, epochs=2, step=3, steps=9, loss=0.5))
    found = run_log.curve(session, run.id)
    assert [(point.stage, point.loss, point.metrics) for point in found] == [
        ("head", None, {"study_kappa": 0.4}),
        ("fine-tuning", 0.5, {}),
    ]
