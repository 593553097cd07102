"""Images of one study together: one study, one body part, one label."""

from dataclasses import replace
from pathlib import Path

from tests.worklist.dataset.folders import Drawn
from worklist.dataset.record import LabelledImage, Split, studies
from worklist.tables import BodyPart

IMAGE = LabelledImage(Path("a"), "a", BodyPart.WRIST, "P", "S", is_abnormal=False, split=Split.TRAIN)


def test_views_of_a_study_stay_together_however_they_come() -> None:
    other = replace(IMAGE, name="b", study="T")
    grouped = studies([IMAGE, other, replace(IMAGE, name="c")])
    assert [[image.name for image in study.images] for study in grouped] == [["a", "c"], ["b"]]


def test_study_is_abnormal_if_one_view_is() -> None:
    (study,) = studies([IMAGE, replace(IMAGE, is_abnormal=True)])
    assert study.is_abnormal


def test_two_body_parts_of_a_study_are_two() -> None:
    grouped = studies([IMAGE, replace(IMAGE, body_part=BodyPart.HAND)])
    assert [study.body_part for study in grouped] == [BodyPart.WRIST, BodyPart.HAND]


def test_first_study_of_two_body_parts_of_a_patient_are_two(drawn: Drawn) -> None:
    of_patient = [image for image in drawn.images if image.patient == "patient00010"]
    assert len({image.body_part for image in of_patient}) == 2
    assert len(studies(of_patient)) == 2
