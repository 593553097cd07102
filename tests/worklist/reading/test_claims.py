"""One reader at a time has a study open, and everybody is told in words."""

import threading

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.conftest import Clock
from tests.factories import make_study, make_user
from worklist import database
from worklist.errors import Conflict, NotFound
from worklist.reading import claims
from worklist.tables import AuditEvent, Claim, ReadingState, Study


def actions(session: Session, study: Study) -> list[tuple[str, str]]:
    events = select(AuditEvent).where(AuditEvent.about_id == study.id).order_by(AuditEvent.id)
    return [(event.action, event.who) for event in session.scalars(events)]


def test_a_claimed_study_is_being_read(session: Session) -> None:
    study, rita = make_study(session), make_user(session)
    claims.claim(session, study.id, rita.id)
    assert study.reading_state is ReadingState.READING
    assert study.is_open
    assert actions(session, study) == [("study.claimed", "rita")]


def test_a_second_reader_is_told_who_has_it_and_since_when(session: Session, frozen: Clock) -> None:
    study, rita, lena = make_study(session), make_user(session), make_user(session, "lena")
    claims.claim(session, study.id, rita.id)
    since = f"{frozen.time.astimezone():%H:%M}"
    frozen.advance(minutes=2)
    with pytest.raises(claims.Held, match=f"Open since {since} by Rita."):
        claims.claim(session, study.id, lena.id)


def test_claiming_again_renews_instead_of_adding(session: Session, frozen: Clock) -> None:
    study, rita = make_study(session), make_user(session)
    first = claims.claim(session, study.id, rita.id)
    ended = first.expires_at
    frozen.advance(minutes=3)
    again = claims.claim(session, study.id, rita.id)
    assert again.id == first.id
    assert (again.expires_at - ended).total_seconds() == 180


def test_a_claim_that_ran_out_goes_to_the_next_reader(session: Session, frozen: Clock) -> None:
    study, rita, lena = make_study(session), make_user(session), make_user(session, "lena")
    claims.claim(session, study.id, rita.id)
    frozen.advance(minutes=6)
    claims.claim(session, study.id, lena.id)
    assert claims.held_by(session, study.id).endswith("by Lena.")
    assert ("study.taken_over", "lena") not in actions(session, study)


def test_taking_over_is_recorded_and_told_to_the_reader_who_had_it(session: Session, frozen: Clock) -> None:
    study, rita, lena = make_study(session), make_user(session), make_user(session, "lena")
    claims.claim(session, study.id, rita.id)
    claims.claim(session, study.id, lena.id, take_over=True)
    assert ("study.taken_over", "lena") in actions(session, study)
    with pytest.raises(claims.Held, match="Lena took this study over at"):
        claims.renew(session, study.id, rita.id)


def test_a_reader_whose_claim_was_swept_goes_on_if_the_study_is_free(session: Session, frozen: Clock) -> None:
    study, rita = make_study(session), make_user(session)
    claims.claim(session, study.id, rita.id)
    frozen.advance(minutes=6)
    claims.expire(session)
    claims.renew(session, study.id, rita.id)
    session.refresh(study)
    assert study.reading_state is ReadingState.READING


def test_released_studies_wait_again(session: Session) -> None:
    study, rita = make_study(session), make_user(session)
    claims.claim(session, study.id, rita.id)
    assert claims.release(session, study.id, rita.id)
    assert study.reading_state is ReadingState.UNREAD
    assert actions(session, study)[-1] == ("study.released", "rita")


def test_nobody_releases_the_claim_of_somebody_else(session: Session) -> None:
    study, rita, lena = make_study(session), make_user(session), make_user(session, "lena")
    claims.claim(session, study.id, rita.id)
    assert not claims.release(session, study.id, lena.id)
    assert study.reading_state is ReadingState.READING


def test_the_sweep_ends_only_claims_past_their_lease(session: Session, frozen: Clock) -> None:
    rita = make_user(session)
    old, fresh = make_study(session), make_study(session)
    claims.claim(session, old.id, rita.id)
    frozen.advance(minutes=4)
    claims.claim(session, fresh.id, rita.id)
    frozen.advance(minutes=2)
    assert claims.expire(session) == 1
    session.refresh(old)
    assert (old.reading_state, fresh.reading_state) == (ReadingState.UNREAD, ReadingState.READING)
    assert claims.expire(session) == 0


def test_a_read_study_cannot_be_claimed(session: Session) -> None:
    study = make_study(session, reading_state=ReadingState.READ, is_open=False)
    with pytest.raises(claims.AlreadyRead, match="Already read"):
        claims.claim(session, study.id, make_user(session).id)


def test_there_is_no_claim_of_a_study_that_does_not_exist(session: Session) -> None:
    with pytest.raises(NotFound):
        claims.claim(session, 4711, make_user(session).id)


def test_of_ten_readers_at_the_same_moment_one_gets_the_study(engine: Engine) -> None:
    with database.transaction() as session:
        study = make_study(session)
        readers = [make_user(session, f"reader{n}") for n in range(10)]
    barrier, got, refused = threading.Barrier(10), [], []

    def open_it(user_id: int) -> None:
        barrier.wait()
        try:
            with database.transaction() as own:
                got.append(claims.claim(own, study.id, user_id).user_id)
        except Conflict as error:
            refused.append(str(error))

    threads = [threading.Thread(target=open_it, args=(reader.id,)) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert all("Open since" in sentence for sentence in refused)
    with database.reading() as session:
        assert session.scalars(select(Claim.user_id)).all() == got
