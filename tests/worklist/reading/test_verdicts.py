"""A verdict closes its study, says what its reader saw, and can be corrected or taken back."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.conftest import Clock
from tests.factories import make_study, make_user
from worklist.errors import Conflict, Invalid, NotFound
from worklist.reading import claims, turns, verdicts
from worklist.reading.judgement import Judgement
from worklist.reading.verdicts import Seen
from worklist.tables import AuditEvent, Opinion, ReadingState, Role, Study, Turn, User, Verdict


@pytest.fixture
def rita(session: Session) -> User:
    return make_user(session, "rita")


@pytest.fixture
def lena(session: Session) -> User:
    return make_user(session, "lena", Role.LEAD)


@pytest.fixture
def study(session: Session) -> Study:
    return make_study(session, probability=0.9)


def seen(study: Study, **values: object) -> Seen:
    return Seen(study.content_version, study.result_version, study.study_probability, dict(values))


def read(
    session: Session, study: Study, user: User, opinion: Opinion = Opinion.ABNORMAL, note: str = ""
) -> Verdict:
    return verdicts.give_verdict(session, study.id, user.id, Judgement(opinion, note=note), seen=seen(study))


def test_a_verdict_closes_the_study_and_ends_the_claim(session: Session, study: Study, rita: User) -> None:
    claims.claim(session, study.id, rita.id)
    read(session, study, rita)
    assert study.reading_state is ReadingState.READ
    assert not study.is_open
    session.refresh(study)
    assert study.read_at is not None
    assert claims.holder(session, study.id) is None


def test_a_verdict_says_what_its_reader_saw(session: Session, study: Study, rita: User) -> None:
    given = verdicts.give_verdict(
        session,
        study.id,
        rita.id,
        Judgement(Opinion.NORMAL, note="Old fracture."),
        seen=seen(study, heat_map=True),
    )
    assert (given.result_version, given.study_probability) == (1, 0.9)
    assert given.visible == {"heat_map": True}
    assert given.note == "Old fracture."


def test_a_verdict_is_in_the_audit_stream_without_patient_data(
    session: Session, study: Study, rita: User
) -> None:
    given = read(session, study, rita, note="Mrs Synthetic")
    event = session.scalars(select(AuditEvent).where(AuditEvent.action == "verdict.given")).one()
    assert (event.who, event.about_id) == ("rita", study.id)
    assert event.detail == {
        "verdict": given.id,
        "opinion": "abnormal",
        "finding": None,
        "heat_map": None,
        "marks": 0,
        "turn": "first",
        "replaces": None,
    }


def test_a_study_that_somebody_else_has_open_cannot_be_judged(
    session: Session, study: Study, rita: User, lena: User
) -> None:
    claims.claim(session, study.id, lena.id)
    with pytest.raises(Conflict, match="by Lena"):
        read(session, study, rita)
    assert verdicts.history(session, study.id) == []


def test_a_new_image_refuses_the_verdict(session: Session, study: Study, rita: User) -> None:
    before = seen(study)
    study.content_version += 1
    with pytest.raises(verdicts.NewImage, match="Look at it, then save again"):
        verdicts.give_verdict(session, study.id, rita.id, Judgement(Opinion.NORMAL), seen=before)
    assert study.is_open


def test_a_new_result_is_no_reason_to_refuse(session: Session, study: Study, rita: User) -> None:
    before = seen(study)
    study.result_version += 1
    given = verdicts.give_verdict(session, study.id, rita.id, Judgement(Opinion.NORMAL), seen=before)
    assert given.result_version == study.result_version - 1


def test_a_correction_is_a_new_row_that_names_the_old_one(session: Session, study: Study, rita: User) -> None:
    first = read(session, study, rita, Opinion.NORMAL)
    second = read(session, study, rita, Opinion.ABNORMAL, note="Scaphoid after all.")
    assert second.replaces_id == first.id
    assert [(past.judgement.opinion, past.stands) for past in verdicts.history(session, study.id)] == [
        (Opinion.ABNORMAL, True),
        (Opinion.NORMAL, False),
    ]


def test_the_same_form_sent_twice_is_one_verdict(session: Session, study: Study, rita: User) -> None:
    assert read(session, study, rita).id == read(session, study, rita).id


def test_nobody_corrects_the_verdict_of_somebody_else(
    session: Session, study: Study, rita: User, lena: User
) -> None:
    read(session, study, rita)
    with pytest.raises(Conflict, match="has been read by Rita"):
        read(session, study, lena, Opinion.NORMAL)


def test_a_retracted_verdict_lets_the_study_wait_again(session: Session, study: Study, rita: User) -> None:
    given = read(session, study, rita)
    assert verdicts.retract(session, given.id, rita.id) == study.id
    session.refresh(study)
    assert (study.reading_state, study.is_open, study.read_at) == (ReadingState.UNREAD, True, None)
    assert not verdicts.history(session, study.id)[0].stands


def test_a_lead_may_take_back_what_a_reader_gave_but_not_the_other_way_round(
    session: Session, study: Study, rita: User, lena: User
) -> None:
    given = read(session, study, lena)
    with pytest.raises(Conflict, match="Only its reader or a lead"):
        verdicts.retract(session, given.id, rita.id)
    other = make_study(session)
    verdicts.retract(session, read(session, other, rita).id, lena.id)
    assert turns.standing(session, other.id).get(Turn.FIRST) is None


def test_a_verdict_is_taken_back_once(session: Session, study: Study, rita: User) -> None:
    given = read(session, study, rita)
    verdicts.retract(session, given.id, rita.id)
    with pytest.raises(Conflict, match="does not stand"):
        verdicts.retract(session, given.id, rita.id)


def test_a_replaced_verdict_cannot_be_taken_back(session: Session, study: Study, rita: User) -> None:
    first = read(session, study, rita, Opinion.NORMAL)
    read(session, study, rita, Opinion.UNSURE)
    with pytest.raises(Conflict, match="does not stand"):
        verdicts.retract(session, first.id, rita.id)


def test_after_a_late_image_the_next_verdict_replaces_the_earlier_one(
    session: Session, study: Study, rita: User, lena: User
) -> None:
    first = read(session, study, rita)
    study.reading_state, study.is_open, study.content_version = ReadingState.UNREAD, True, 2
    session.flush()
    assert read(session, study, lena).replaces_id == first.id


def test_a_deferred_study_stays_in_the_list_and_can_be_opened_by_anybody(
    session: Session, study: Study, rita: User, lena: User
) -> None:
    claims.claim(session, study.id, rita.id)
    verdicts.defer(session, study.id, rita.id)
    assert (study.reading_state, study.is_open) == (ReadingState.DEFERRED, True)
    claims.claim(session, study.id, lena.id)
    assert study.reading_state is ReadingState.READING


def test_a_note_has_an_end(session: Session, study: Study, rita: User) -> None:
    with pytest.raises(Invalid, match="4000 is the most"):
        read(session, study, rita, note="x" * 4001)


def test_there_is_nothing_to_take_back_of_a_verdict_that_does_not_exist(session: Session, rita: User) -> None:
    with pytest.raises(NotFound):
        verdicts.retract(session, 4711, rita.id)


def test_undo_offers_the_last_verdict_for_half_an_hour(
    session: Session, frozen: Clock, study: Study, rita: User, lena: User
) -> None:
    assert verdicts.last_of(session, rita.id) is None
    given = read(session, study, rita)
    assert verdicts.last_of(session, rita.id) == verdicts.Undoable(given.id, study.id, Opinion.ABNORMAL)
    assert verdicts.last_of(session, lena.id) is None
    frozen.advance(minutes=31)
    assert verdicts.last_of(session, rita.id) is None
