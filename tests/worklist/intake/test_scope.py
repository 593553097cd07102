"""What may be analysed: said in the data set or by the site, never guessed."""

from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from tests.worklist.datasets import SECONDARY_CAPTURE, STRUCTURED_REPORT, make_header
from worklist.dicom.header import read_header
from worklist.intake.scope import Judgement, judge
from worklist.tables import BodyPart, Scope


def judged(**values: Any) -> Judgement:
    return judge(make_header(**{"body_part_examined": "", **values}))


@pytest.mark.parametrize("part", list(BodyPart))
def test_each_of_the_seven_terms_is_in_scope(part: BodyPart) -> None:
    assert judged(body_part_examined=part.value) == Judgement(Scope.IN, part)


@pytest.mark.parametrize("modality", ["CR", "DX", "RG", "RF"])
def test_single_radiographs_of_all_four_modalities_are_in_scope(modality: str) -> None:
    assert judged(body_part_examined="HAND", modality=modality).scope is Scope.IN


@pytest.mark.parametrize(
    ("description", "part"),
    [
        ("XR Wrist 2 views left", BodyPart.WRIST),
        ("Handgelenk links in 2 Ebenen", BodyPart.WRIST),
        ("Radiographie du coude droit", BodyPart.ELBOW),
        ("Radiografía de muñeca", BodyPart.WRIST),
        ("RX SPALLA DX", BodyPart.SHOULDER),
        ("X-hand rechts", BodyPart.HAND),
        ("Épaule gauche face", BodyPart.SHOULDER),
        ("Upper arm ap", BodyPart.HUMERUS),
        ("Unterarm_seitlich", BodyPart.FOREARM),
        ("Left thumb", BodyPart.FINGER),
    ],
)
@pytest.mark.parametrize("where", ["series_description", "study_description", "protocol_name"])
def test_body_part_is_read_from_descriptions(where: str, description: str, part: BodyPart) -> None:
    assert judged(**{where: description}).body_part is part


def test_anatomic_region_code_is_known_in_both_code_systems() -> None:
    assert judged(anatomic_region="16953009").body_part is BodyPart.ELBOW
    assert judged(anatomic_region="T-15460").body_part is BodyPart.WRIST


def test_body_part_examined_goes_before_descriptions() -> None:
    assert judged(body_part_examined="HAND", study_description="Wrist").body_part is BodyPart.HAND


def test_vague_body_part_leaves_the_word_to_the_description() -> None:
    assert judged(body_part_examined="EXTREMITY", series_description="Elbow lat").body_part is BodyPart.ELBOW


def test_description_that_names_two_parts_is_not_guessed() -> None:
    judgement = judged(study_description="Hand and wrist")
    assert judgement.scope is Scope.UNKNOWN
    assert judgement.reason == "Study Description names several body parts: HAND, WRIST."


def test_toe_in_spanish_is_no_finger() -> None:
    assert judged(study_description="Dedo del pie").reason == "Toe is out of scope (Study Description)."


def test_word_inside_another_word_does_not_count() -> None:
    assert judged(study_description="Handover of fingerprints").scope is Scope.UNKNOWN


def test_default_of_the_source_is_used_last() -> None:
    assert judge(make_header(body_part_examined=""), BodyPart.ELBOW).body_part is BodyPart.ELBOW
    assert judge(make_header(body_part_examined="WRIST"), BodyPart.ELBOW).body_part is BodyPart.WRIST
    assert judge(make_header(body_part_examined="CHEST"), BodyPart.ELBOW).scope is Scope.OUT


def test_nothing_said_is_unknown_and_names_the_seven() -> None:
    judgement = judged()
    assert judgement.scope is Scope.UNKNOWN
    assert "No body part is named" in judgement.reason
    assert "ELBOW, FINGER, FOREARM, HAND, HUMERUS, SHOULDER, WRIST" in judgement.reason


def test_chest_and_lower_leg_of_real_modalities_are_out_of_scope() -> None:
    chest = judge(read_header(Path(get_testdata_file("RG1_J2KI.dcm"))))
    leg = judge(read_header(Path(get_testdata_file("RG3_J2KI.dcm"))))
    assert (chest.scope, chest.reason) == (Scope.OUT, "Chest is out of scope (Body Part Examined).")
    assert (leg.scope, leg.reason) == (Scope.OUT, "Tibia is out of scope (Study Description).")


def test_other_body_part_is_named_with_the_seven() -> None:
    reason = judged(body_part_examined="EXTREMITY").reason
    assert reason.startswith("Body part EXTREMITY is not one of the seven: ELBOW")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"sop_class_uid": SECONDARY_CAPTURE}, "a Secondary Capture is not a radiograph."),
        ({"sop_class_uid": f"{SECONDARY_CAPTURE}.4"}, "a Secondary Capture is not a radiograph."),
        ({"sop_class_uid": STRUCTURED_REPORT}, "a structured report or key object selection is not"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.11.1"}, "a presentation state is not a radiograph."),
        ({"sop_class_uid": "1.2.840.99999.1"}, "SOP class 1.2.840.99999.1 is not a radiograph."),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.1.1"}, "'for processing' is not meant to be looked at"),
        ({"modality": "MG"}, "modality MG is not one of CR, DX, RG, RF."),
        ({"number_of_frames": 30}, "it has 30 frames"),
        ({"rows": None}, "no rows and columns"),
    ],
)
def test_other_kinds_cannot_be_analysed_and_say_why(values: dict[str, Any], reason: str) -> None:
    judgement = judged(**{"body_part_examined": "WRIST", **values})
    assert judgement.scope is Scope.OUT
    assert judgement.reason.startswith("Cannot be analysed: ")
    assert reason in judgement.reason
