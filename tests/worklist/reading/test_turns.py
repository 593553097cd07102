"""Second readings: blind, by somebody else, and decided by a lead where two readers differ."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.factories import make_study, make_user
from worklist import settings
from worklist.errors import Conflict
from worklist.reading import claims, turns, verdicts
from worklist.reading.judgement import Judgement
from worklist.reading.turns import NotYourTurn
from worklist.reading.verdicts import Seen
from worklist.tables import AuditEvent, Opinion, ReadingState, Role, Study, Turn, User, Verdict
from worklist.triage.list_query import Filters
from worklist.triage.ranked_list import counts, next_study_id

NORMAL, ABNORMAL, UNSURE = Opinion.NORMAL, Opinion.ABNORMAL, Opinion.UNSURE


@pytest.fixture(autouse=True)
def all_are_read_twice(monkeypatch: pytest.MonkeyPatch, site: settings.Settings) -> None:
    monkeypatch.setenv("WORKLIST_SECOND_READING_SHARE", "1")
    settings.current.cache_clear()


@pytest.fixture
def study(session: Session) -> Study:
    return make_study(session, probability=0.9)


@pytest.fixture
def rita(session: Session) -> User:
    return make_user(session, "rita")


@pytest.fixture
def otto(session: Session) -> User:
    return make_user(session, "otto")


@pytest.fixture
def lena(session: Session) -> User:
    return make_user(session, "lena", Role.LEAD)


def read(session: Session, study: Study, user: User, opinion: Opinion) -> Verdict:
    seen = Seen(study.content_version, study.result_version, study.study_probability, {})
    return verdicts.give_verdict(session, study.id, user.id, Judgement(opinion), seen=seen)


def place(session: Session, study: Study) -> tuple[Turn, ReadingState, bool]:
    session.refresh(study)
    return study.turn, study.reading_state, study.is_open


def offered(session: Session, user: User) -> int | None:
    only = turns.may_judge(user.id, user.role)
    return next_study_id(session, Filters(), after_study_id=None, only=only)


def test_two_readers_who_agree_close_the_study(session: Session, study: Study, rita: User, otto: User) -> None:
    read(session, study, rita, ABNORMAL)
    assert place(session, study) == (Turn.SECOND, ReadingState.UNREAD, True)
    read(session, study, otto, ABNORMAL)
    assert place(session, study) == (Turn.SECOND, ReadingState.READ, False)
    assert {turn: verdict.user_id for turn, verdict in turns.standing(session, study.id).items()} == {
        Turn.FIRST: rita.id,
        Turn.SECOND: otto.id,
    }


@pytest.mark.parametrize("second", [NORMAL, UNSURE])
def test_where_two_readers_differ_a_lead_decides(
    session: Session, study: Study, rita: User, otto: User, lena: User, second: Opinion
) -> None:
    read(session, study, rita, ABNORMAL)
    read(session, study, otto, second)
    assert place(session, study) == (Turn.ARBITRATION, ReadingState.UNREAD, True)
    assert (counts(session).second, counts(session).arbitration) == (0, 1)
    read(session, study, lena, ABNORMAL)
    assert place(session, study) == (Turn.ARBITRATION, ReadingState.READ, False)
    assert len(turns.standing(session, study.id)) == 3


def test_first_reader_is_not_the_second(session: Session, study: Study, rita: User, otto: User) -> None:
    read(session, study, rita, ABNORMAL)
    assert offered(session, rita) is None
    assert offered(session, otto) == study.id
    with pytest.raises(NotYourTurn, match="You were its first reader; it waits for a second one"):
        claims.claim(session, study.id, rita.id)


def test_only_a_lead_who_was_neither_reader_arbitrates(
    session: Session, study: Study, rita: User, otto: User, lena: User
) -> None:
    other = make_user(session, "lars", Role.LEAD)
    read(session, study, lena, ABNORMAL)
    read(session, study, rita, NORMAL)
    assert [offered(session, user) for user in (rita, otto, lena, other)] == [None, None, None, study.id]
    with pytest.raises(NotYourTurn, match="a lead decides"):
        claims.claim(session, study.id, otto.id)
    with pytest.raises(NotYourTurn, match="You were one of its two readers, who differ; it waits for a lead"):
        claims.claim(session, study.id, lena.id)
    claims.claim(session, study.id, other.id)


def test_second_reader_is_blind_until_the_study_is_read(
    session: Session, study: Study, rita: User, otto: User
) -> None:
    read(session, study, rita, ABNORMAL)
    session.refresh(study)
    assert turns.is_blind(session, study, otto.id)
    assert not turns.is_blind(session, study, rita.id)
    read(session, study, otto, ABNORMAL)
    session.refresh(study)
    assert not turns.is_blind(session, study, otto.id)


def test_first_reader_corrects_while_the_second_is_awaited(session: Session, study: Study, rita: User) -> None:
    first = read(session, study, rita, ABNORMAL)
    again = read(session, study, rita, NORMAL)
    assert (again.replaces_id, again.turn) == (first.id, Turn.FIRST)
    assert place(session, study) == (Turn.SECOND, ReadingState.UNREAD, True)


def test_correction_that_makes_readers_differ_calls_a_lead(
    session: Session, study: Study, rita: User, otto: User
) -> None:
    read(session, study, rita, ABNORMAL)
    read(session, study, otto, ABNORMAL)
    read(session, study, rita, NORMAL)
    assert place(session, study) == (Turn.ARBITRATION, ReadingState.UNREAD, True)


def test_correction_that_makes_readers_agree_needs_no_lead_any_more(
    session: Session, study: Study, rita: User, otto: User, lena: User
) -> None:
    read(session, study, rita, ABNORMAL)
    read(session, study, otto, NORMAL)
    claims.claim(session, study.id, lena.id)
    read(session, study, otto, ABNORMAL)
    assert place(session, study) == (Turn.SECOND, ReadingState.READ, False)
    with pytest.raises(Conflict):
        read(session, study, lena, NORMAL)


def test_verdict_taken_back_gives_its_turn_to_another_reader(
    session: Session, study: Study, rita: User, otto: User
) -> None:
    read(session, study, rita, ABNORMAL)
    second = read(session, study, otto, ABNORMAL)
    verdicts.retract(session, second.id, otto.id)
    assert place(session, study) == (Turn.SECOND, ReadingState.UNREAD, True)
    assert offered(session, rita) is None
    assert offered(session, otto) == study.id


def test_undo_takes_back_a_first_verdict_that_waits_for_its_second(
    session: Session, study: Study, rita: User
) -> None:
    first = read(session, study, rita, ABNORMAL)
    undo = verdicts.last_of(session, rita.id)
    assert undo is not None
    assert undo.verdict_id == first.id
    verdicts.retract(session, first.id, rita.id)
    assert place(session, study) == (Turn.FIRST, ReadingState.UNREAD, True)
    assert offered(session, rita) == study.id


def test_audit_tells_the_way_of_a_study_and_no_opinion_of_the_first_reader(
    session: Session, study: Study, rita: User, otto: User
) -> None:
    read(session, study, rita, ABNORMAL)
    read(session, study, otto, NORMAL)
    actions = session.scalars(
        select(AuditEvent.action).where(AuditEvent.about_type == "study").order_by(AuditEvent.id)
    ).all()
    told = [
        action for action in actions if action in ("verdict.given", "study.second_reading", "study.arbitration")
    ]
    assert told == ["verdict.given", "study.second_reading", "verdict.given", "study.arbitration"]
    assert "study.read" not in actions


def test_chance_chooses_about_the_share_and_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKLIST_SECOND_READING_SHARE", "0.2")
    settings.current.cache_clear()
    chosen = [uid for uid in map(str, range(5000)) if turns.wants_second_reader(uid)]
    assert 900 < len(chosen) < 1100
    monkeypatch.setenv("WORKLIST_SECOND_READING_SHARE", "0.4")
    settings.current.cache_clear()
    assert all(map(turns.wants_second_reader, chosen))
