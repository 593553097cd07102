"""Other studies of the same patient."""

import pytest
from sqlalchemy.orm import Session

from tests.factories import make_study, make_user
from worklist.errors import NotFound
from worklist.reading import verdicts
from worklist.reading.judgement import Judgement
from worklist.reading.verdicts import Seen
from worklist.tables import Opinion, Study
from worklist.triage.priors import prior, priors


def of_patient(session: Session, **values: object) -> Study:
    return make_study(session, probability=0.5, patient_id="SYN-7", **values)  # type: ignore[arg-type]


def test_the_newest_comes_first_with_what_its_reading_says(session: Session) -> None:
    study = of_patient(session, study_date="20260501")
    old, newer = of_patient(session, study_date="20240101"), of_patient(session, study_date="20260101")
    rita = make_user(session)
    for opinion in (Opinion.NORMAL, Opinion.ABNORMAL):  # the second corrects the first
        seen = Seen(old.content_version, old.result_version)
        verdicts.give_verdict(session, old.id, rita.id, Judgement(opinion), seen=seen)
    found = priors(session, study.id)
    assert [(one.study_id, one.opinion) for one in found] == [(newer.id, None), (old.id, Opinion.ABNORMAL)]
    assert prior(session, study.id, old.id) == found[1]


def test_a_verdict_that_was_taken_back_is_none(session: Session) -> None:
    study, other, rita = of_patient(session), of_patient(session), make_user(session)
    seen = Seen(other.content_version, other.result_version)
    given = verdicts.give_verdict(session, other.id, rita.id, Judgement(Opinion.NORMAL), seen=seen)
    verdicts.retract(session, given.id, rita.id)
    assert [one.opinion for one in priors(session, study.id)] == [None]


@pytest.mark.parametrize(
    ("values", "count"),
    [({"patient_id": "SYN-8"}, 0), ({"birth_date": "19800101"}, 0), ({"birth_date": ""}, 1), ({}, 1)],
)
def test_who_may_be_another_person_is_left_out(session: Session, values: dict[str, str], count: int) -> None:
    study = of_patient(session)
    other = make_study(session, **{"patient_id": "SYN-7", **values})  # type: ignore[arg-type]
    assert len(priors(session, study.id)) == count
    if not count:
        with pytest.raises(NotFound, match="no such other study"):
            prior(session, study.id, other.id)


def test_without_a_patient_id_nobody_can_tell(session: Session) -> None:
    study, _ = make_study(session, patient_id=""), make_study(session, patient_id="")
    assert priors(session, study.id) == []
