"""Anti-bias mode: nothing of the classifier before the reader's own first opinion."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.factories import make_study, make_user
from worklist import settings
from worklist.errors import Conflict
from worklist.reading import claims, first_opinion, turns, verdicts
from worklist.reading.judgement import Judgement
from worklist.reading.verdicts import Seen
from worklist.tables import AuditEvent, Opinion, Role, Study, Turn, User


@pytest.fixture(autouse=True)
def anti_bias(monkeypatch: pytest.MonkeyPatch, site: settings.Settings) -> None:
    monkeypatch.setenv("WORKLIST_ANTI_BIAS", "true")
    settings.current.cache_clear()


@pytest.fixture
def rita(session: Session) -> User:
    return make_user(session, "rita")


@pytest.fixture
def study(session: Session) -> Study:
    return make_study(session, probability=0.9)


def read(session: Session, study: Study, user: User, opinion: Opinion) -> None:
    seen = Seen(study.content_version, study.result_version)
    verdicts.give_verdict(session, study.id, user.id, Judgement(opinion), seen=seen)
    session.refresh(study)


def test_the_result_is_hidden_until_the_first_opinion(session: Session, study: Study, rita: User) -> None:
    assert first_opinion.is_hidden(session, study, rita)
    first_opinion.give(session, study.id, rita.id, Opinion.NORMAL)
    assert not first_opinion.is_hidden(session, study, rita)
    # Not for the colleague who has not said anything yet, and never for those who do not read.
    assert first_opinion.is_hidden(session, study, make_user(session, "omar"))
    assert not first_opinion.is_hidden(session, study, make_user(session, "adam", Role.ADMINISTRATOR))


def test_it_is_kept_beside_the_verdict_and_never_changed(session: Session, study: Study, rita: User) -> None:
    for opinion in (Opinion.NORMAL, Opinion.ABNORMAL):
        first_opinion.give(session, study.id, rita.id, opinion)
    read(session, study, rita, Opinion.ABNORMAL)
    verdict = turns.standing(session, study.id).get(Turn.FIRST)
    assert verdict is not None
    assert (verdict.first_opinion, verdict.opinion) == (Opinion.NORMAL, Opinion.ABNORMAL)
    events = session.scalars(select(AuditEvent).where(AuditEvent.action == "verdict.first_opinion")).all()
    assert [(event.who, event.detail) for event in events] == [("rita", {"opinion": "normal"})]


def test_a_verdict_without_looking_is_its_own_first_opinion(session: Session, study: Study, rita: User) -> None:
    read(session, study, rita, Opinion.UNSURE)
    verdict = turns.standing(session, study.id).get(Turn.FIRST)
    assert verdict is not None
    assert verdict.first_opinion is Opinion.UNSURE
    assert not first_opinion.is_hidden(session, study, make_user(session, "omar"))


def test_whoever_opens_a_study_again_has_seen_the_result(session: Session, study: Study, rita: User) -> None:
    first_opinion.give(session, study.id, rita.id, Opinion.NORMAL)
    claims.release(session, study.id, rita.id)
    claims.claim(session, study.id, rita.id)
    assert not first_opinion.is_hidden(session, study, rita)


def test_a_study_that_somebody_else_has_open_takes_no_first_opinion(
    session: Session, study: Study, rita: User
) -> None:
    claims.claim(session, study.id, make_user(session, "omar").id)
    with pytest.raises(Conflict):
        first_opinion.give(session, study.id, rita.id, Opinion.NORMAL)


def test_outside_the_mode_nothing_is_hidden_or_kept(
    session: Session, study: Study, rita: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKLIST_ANTI_BIAS")
    settings.current.cache_clear()
    assert not first_opinion.is_hidden(session, study, rita)
    read(session, study, rita, Opinion.NORMAL)
    verdict = turns.standing(session, study.id).get(Turn.FIRST)
    assert verdict is not None
    assert verdict.first_opinion is None
