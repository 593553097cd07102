"""Retraining from the page: what readers have said, the form, and a training as it goes on."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import RecordedJobs
from tests.web.conftest import Visitor
from tests.web.versions import make_training, make_verdicts, make_versions
from worklist import database, jobs
from worklist.classifiers import run_log, runs
from worklist.classifiers.run_log import Point
from worklist.tables import TrainingState

ADDRESS = "/admin/training"
FORM = {
    "name": "next-1",
    "start": "version",
    "base": "in-charge-1",
    "verdicts": "on",
    "recipe": "last-block",
    "flips": "on",
    "class_weights": "on",
}


@pytest.fixture
def adam(sign_in: Callable[[str], Visitor]) -> Visitor:
    """Adam has signed in."""
    return sign_in("adam")


def only_run() -> Any:
    with database.reading() as session:
        return runs.newest(session)[0]


@pytest.mark.parametrize("who", ["rita", "lena", "aude"])
def test_only_administrators_train(people: None, sign_in: Callable[[str], Visitor], who: str) -> None:
    visitor = sign_in(who)
    assert visitor.get(ADDRESS).status_code == 403
    assert visitor.submit(ADDRESS, **FORM).status_code == 403


def test_new_verdicts_are_counted_by_body_part_and_agreement(adam: Visitor) -> None:
    assert "labels come from the verdicts of readers" in adam.get(ADDRESS).text
    make_verdicts()
    page = adam.get(ADDRESS).text
    row = page.split('<th scope="row">Elbow</th>', 1)[1].split("</tr>", 1)[0]
    assert [cell.split("<")[0] for cell in row.split('<td class="numeric">')[1:]] == list("2112002")
    assert "12 labelled studies" in page


def test_the_form_starts_a_training(adam: Visitor, sent_jobs: RecordedJobs) -> None:
    make_versions()
    answer = adam.submit(ADDRESS, **FORM, epochs="4", rotation_degrees="15.5", folder=" /data/MURA-v1.1 ")
    run = only_run()
    assert (answer.status_code, answer.location) == (303, f"{ADDRESS}/{run.id}")
    assert (run.name, run.requested_by, run.state) == ("next-1", "adam", TrainingState.QUEUED)
    assert run.data == {"verdicts": True, "folder": "/data/MURA-v1.1"}
    recipe = run.recipe
    assert (recipe["layers"], recipe["rate"], recipe["epochs"], recipe["rotation_degrees"]) == (
        "last-block",
        1e-4,
        4,
        15.5,
    )
    assert recipe["flips"]
    assert sent_jobs.ids(jobs.TRAIN) == [run.id]


def test_a_switch_that_is_off_is_off(adam: Visitor, sent_jobs: RecordedJobs) -> None:
    make_versions()
    adam.submit(ADDRESS, **{name: value for name, value in FORM.items() if name != "flips"})
    assert only_run().recipe["flips"] is False


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"name": "a b"}, "A name has 1 to 64 letters"),
        ({"name": "in-charge-1"}, "The name in-charge-1 is taken"),
        ({"base": "nobody"}, "No classifier version is named nobody."),
        ({"start": "elsewhere"}, "Weights to start from are one of"),
        ({"epochs": "many"}, "The recipe&#39;s epochs is &#39;many&#39;; it must be a whole number."),
        ({"input_size_px": "100"}, "it must be a multiple of 32 from 64 to 512"),
        ({"recipe": "soup"}, "The recipe is one of head, last-block, full."),
        ({"verdicts": None}, "There is nothing to learn from"),
    ],
)
def test_what_cannot_be_is_said_and_the_form_keeps_what_was_written(
    adam: Visitor, sent_jobs: RecordedJobs, form: dict[str, Any], told: str
) -> None:
    make_versions()
    given = {name: value for name, value in {**FORM, "seed": "77", **form}.items() if value is not None}
    answer = adam.submit(ADDRESS, **given)
    assert answer.status_code == 422
    assert told in answer.text
    assert 'value="77"' in answer.text
    with database.reading() as session:
        assert list(runs.newest(session)) == []


def test_a_training_is_seen_as_it_goes_on(adam: Visitor) -> None:
    run_id = make_training()
    page = adam.get(f"{ADDRESS}/{run_id}").text
    assert "Fine-tuning, epoch 2 of 4" in page
    assert "38 %, step 4 of 8, 1 min left" in page
    assert "300 labelled images of 110 patients." in page
    assert page.count("<polyline") == 3
    assert "0.520" in page


def test_the_poll_answers_when_there_is_something_new(adam: Visitor) -> None:
    run_id = make_training()
    address = f"{ADDRESS}/{run_id}/progress"
    version = adam.get(address).text.split('data-version="', 1)[1].split('"', 1)[0]
    assert adam.get(f"{address}?v={version}").status_code == 204
    with database.transaction() as session:
        run_log.add(session, run_id, Point("evaluation", message="Measuring on 40 studies."))
    answer = adam.get(f"{address}?v={version}")
    assert answer.status_code == 200
    assert "Measuring on 40 studies." in answer.text


def test_a_training_is_cancelled(adam: Visitor) -> None:
    run_id = make_training()
    assert adam.submit(f"{ADDRESS}/{run_id}/cancel").status_code == 303
    page = adam.get(f"{ADDRESS}/{run_id}").text
    assert "<b>Stopping</b>" in page
    assert "Cancel the training" not in page
    with database.transaction() as session:
        run = runs.held(session, run_id, 1)
        runs.end(session, run, TrainingState.CANCELLED, reason="An administrator cancelled it.")
    page = adam.get(f"{ADDRESS}/{run_id}").text
    assert "<b>Cancelled</b>" in page
    assert "An administrator cancelled it." in page
    assert adam.submit(f"{ADDRESS}/{run_id}/cancel").status_code == 409


def test_what_came_of_it_is_linked(adam: Visitor) -> None:
    version_id = make_versions()["draft-1"]
    run_id = make_training()
    with database.transaction() as session:
        runs.end(session, runs.held(session, run_id, 1), TrainingState.DONE, version_id=version_id)
    assert f"/admin/classifiers/{version_id}" in adam.get(f"{ADDRESS}/{run_id}").text
    assert f"{ADDRESS}/{run_id}" in adam.get(f"/admin/classifiers/{version_id}").text
    assert adam.get(f"{ADDRESS}/99").status_code == 404
