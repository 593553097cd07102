"""Modality Performed Procedure Step: a modality says what it made, and the study need not wait any longer."""

from collections.abc import Sequence
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom.sop_class import ModalityPerformedProcedureStep as MPPS

from tests.both_engines import site
from tests.conftest import Clock, forget
from tests.worklist.datasets import make_radiograph, new_uid
from tests.worklist.receiver.modality import Site
from workers import housekeeping
from worklist import database
from worklist.receiver.statuses import Status

__all__ = ["site"]

STUDY = "1.2.50"


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def begun(state: str = "IN PROGRESS", study_instance_uid: str = STUDY) -> Dataset:
    return item(
        PerformedProcedureStepStatus=state,
        ScheduledStepAttributesSequence=[item(StudyInstanceUID=study_instance_uid)],
        PerformedSeriesSequence=[],
        Modality="DX",
    )


def ended(images: Sequence[str], state: str = "COMPLETED") -> Dataset:
    references = [item(ReferencedSOPInstanceUID=uid) for uid in images]
    return item(
        PerformedProcedureStepStatus=state,
        PerformedSeriesSequence=[item(SeriesInstanceUID="1.2.51", ReferencedImageSequence=references)],
    )


class Modality:
    """A modality that reports its steps."""

    def __init__(self, receiving: Site) -> None:
        self._receiving = receiving

    def create(self, uid: str, attributes: Dataset) -> int:
        with self._receiving.association(MPPS) as association:
            answer, _ = association.send_n_create(attributes, MPPS, uid)
        return int(answer.Status)

    def set(self, uid: str, attributes: Dataset, ae_title: str = "MODALITY") -> int:
        with self._receiving.association(MPPS, ae_title=ae_title) as association:
            answer, _ = association.send_n_set(attributes, MPPS, uid)
        return int(answer.Status)

    def send(self, sop_instance_uid: str) -> None:
        dataset = make_radiograph(StudyInstanceUID=STUDY, SOPInstanceUID=sop_instance_uid)
        assert self._receiving.store(dataset).Status == Status.SUCCESS


@pytest.fixture
def modality(receiving: Site, frozen: Clock) -> Modality:
    """A modality at work."""
    return Modality(receiving)


def is_complete(receiving: Site) -> bool:
    housekeeping.sweep()
    return receiving.studies()[0].is_complete


def test_study_is_complete_when_all_that_was_made_is_here(receiving: Site, modality: Modality) -> None:
    step, images = new_uid(), [new_uid(), new_uid()]
    assert modality.create(step, begun()) == Status.SUCCESS
    modality.send(images[0])
    assert modality.set(step, ended(images)) == Status.SUCCESS
    assert not is_complete(receiving)
    modality.send(images[1])
    assert is_complete(receiving)
    reason = "The modality has ended its work, and what it made is here: 2."
    assert receiving.studies()[0].completion_reason == reason


def test_study_waits_for_a_step_that_is_still_at_work(receiving: Site, modality: Modality) -> None:
    first, second, image = new_uid(), new_uid(), new_uid()
    modality.create(first, begun())
    modality.create(second, begun())
    modality.send(image)
    modality.set(first, ended([image]))
    assert not is_complete(receiving)
    modality.set(second, ended([], "DISCONTINUED"))
    assert is_complete(receiving)


@pytest.mark.parametrize("last", [ended([]), ended(["1.2.99"], "DISCONTINUED")])
def test_step_that_tells_nothing_changes_nothing(
    receiving: Site, modality: Modality, last: Dataset, frozen: Clock
) -> None:
    step = new_uid()
    modality.create(step, begun())
    modality.send("1.2.99")
    modality.set(step, last)
    assert not is_complete(receiving)
    frozen.advance(seconds=61)
    assert is_complete(receiving)


def test_images_listed_while_at_work_count_at_the_end(receiving: Site, modality: Modality) -> None:
    step = new_uid()
    modality.create(step, begun())
    modality.send("1.2.98")
    modality.set(step, ended(["1.2.98"], "IN PROGRESS"))
    assert not is_complete(receiving)
    modality.set(step, item(PerformedProcedureStepStatus="COMPLETED"))
    assert is_complete(receiving)


def test_late_image_reopens_the_study(receiving: Site, modality: Modality) -> None:
    step = new_uid()
    modality.create(step, begun())
    modality.send("1.2.97")
    modality.set(step, ended(["1.2.97"]))
    assert is_complete(receiving)
    modality.send(new_uid())
    assert not receiving.studies()[0].is_complete


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        (begun("COMPLETED"), Status.INVALID_ATTRIBUTE),
        (begun(study_instance_uid="../etc"), Status.INVALID_ATTRIBUTE),
        (begun(study_instance_uid=""), Status.MISSING_ATTRIBUTE),
        (item(PerformedProcedureStepStatus="IN PROGRESS"), Status.MISSING_ATTRIBUTE),
        (item(Modality="DX"), Status.MISSING_ATTRIBUTE),
    ],
)
def test_step_that_breaks_the_rules_is_not_begun(
    modality: Modality, attributes: Dataset, status: Status
) -> None:
    assert modality.create(new_uid(), attributes) == status


def test_step_is_begun_once_changed_by_its_source_and_ended_once(receiving: Site, modality: Modality) -> None:
    step = new_uid()
    assert modality.set(step, ended([])) == Status.NO_SUCH_INSTANCE
    assert modality.create(step, begun()) == Status.SUCCESS
    assert modality.create(step, begun()) == Status.DUPLICATE_INSTANCE
    assert modality.set(step, ended([]), ae_title="SOMEBODY") == Status.NO_SUCH_INSTANCE
    assert modality.set(step, item(PerformedProcedureStepStatus="DONE")) == Status.INVALID_ATTRIBUTE
    assert modality.set(step, ended([])) == Status.SUCCESS
    assert modality.set(step, ended([])) == Status.PROCESSING_FAILURE


def test_database_away_is_a_resource_limitation(
    receiving: Site, modality: Modality, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving.association(MPPS) as association, monkeypatch.context() as away:
        database.engine().dispose()
        away.setenv("WORKLIST_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
        forget()
        answer, _ = association.send_n_create(begun(), MPPS, new_uid())
    assert answer.Status == Status.RESOURCE_LIMITATION
    forget()
