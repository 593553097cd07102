"""What a reader can say of a study, and what not."""

import pytest
from sqlalchemy.orm import Session

from tests.factories import make_study, make_user
from worklist.errors import Invalid
from worklist.reading import verdicts
from worklist.reading.judgement import FINDINGS, DrawnMark, Judgement, findings
from worklist.reading.verdicts import Seen
from worklist.tables import BodyPart, Finding, HeatMapPlace, MarkKind, Opinion


@pytest.mark.parametrize("part", BodyPart)
def test_each_body_part_has_a_key_for_each_finding(part: BodyPart) -> None:
    assert len(FINDINGS[part]) == len(set(FINDINGS[part])) == 6
    assert FINDINGS[part][0] is Finding.FRACTURE


def test_a_study_of_an_unknown_body_part_can_have_a_finding() -> None:
    assert Finding.FRACTURE in findings(None)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"opinion": Opinion.NORMAL, "finding": Finding.FRACTURE}, "A normal study has no finding"),
        ({"opinion": Opinion.NORMAL, "note": "x" * 4001}, "4001 characters; 4000 is the most"),
    ],
)
def test_what_contradicts_itself_is_refused_in_words(values: dict[str, object], told: str) -> None:
    with pytest.raises(Invalid, match=told):
        Judgement(**values)  # type: ignore[arg-type]


def test_a_finding_that_the_body_part_does_not_have_is_refused(session: Session) -> None:
    study, rita = make_study(session, probability=0.9), make_user(session)
    seen = Seen(study.content_version, study.result_version)
    with pytest.raises(Invalid, match="'foreign body' is no finding of wrist; choose one of fracture"):
        verdicts.give_verdict(
            session, study.id, rita.id, Judgement(Opinion.ABNORMAL, Finding.FOREIGN_BODY), seen=seen
        )


def test_all_that_was_said_is_kept_and_a_correction_changes_it(session: Session) -> None:
    study, rita = make_study(session, probability=0.9), make_user(session)
    seen = Seen(study.content_version, study.result_version)
    first = Judgement(Opinion.ABNORMAL, Finding.FRACTURE, HeatMapPlace.WRONG, "Scaphoid.")
    second = Judgement(Opinion.ABNORMAL, Finding.FRACTURE, HeatMapPlace.RIGHT, "Scaphoid.")
    for judgement in (first, second, second):
        verdicts.give_verdict(session, study.id, rita.id, judgement, seen=seen)
    assert [past.judgement for past in verdicts.history(session, study.id)] == [second, first]


def test_crop_that_is_too_small_to_learn_from_is_refused_and_a_small_box_is_not() -> None:
    DrawnMark(1, MarkKind.BOX, left=0, top=0, width=3, height=3)
    DrawnMark(1, MarkKind.CROP, left=0, top=0, width=32, height=32)
    with pytest.raises(Invalid, match="at least 32 pixels to each side; this one has 31 × 500"):
        DrawnMark(1, MarkKind.CROP, left=0, top=0, width=31, height=500)
