"""Who has a study open: a claim with a lease, renewed by the open page, ended or taken over.

The database decides every race: at most one claim of a study is not released (``uq_claim_open``), and states
change by conditional update with a look at the row count.
"""

from datetime import datetime, timedelta

from sqlalchemy import CursorResult, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import Update

from worklist import audit, clock, settings
from worklist.errors import Conflict, NotFound
from worklist.reading import turns
from worklist.tables import Claim, ReadingState, Study, User

RELEASED, EXPIRED, TAKEN_OVER = "released", "expired", "taken over"


class Held(Conflict):
    """Somebody else has the study open."""


class AlreadyRead(Conflict):
    """The study does not wait for a reader any more."""


def claim(session: Session, study_id: int, user_id: int, *, take_over: bool = False) -> Claim:
    """Open a study for a reader: renew an own claim, or make one if nobody else has it.

    Raises
    ------
    Held
        If somebody else has it open and it is not to be taken over.
    AlreadyRead
        If it does not wait for a reader.
    NotYourTurn
        If it waits for another reader than this one.
    """
    study = existing_study(session, study_id)
    if study.reading_state is ReadingState.READ:
        raise AlreadyRead(f"Already read at {hour(study.read_at or clock.now())}.")
    turns.check(session, study, user_id)
    if _extend(session, study_id, user_id):
        return _open_claim(session, study_id)
    # Before the claims, as a verdict takes them: neither waits for the other.
    study = locked_study(session, study_id)
    if study.reading_state is ReadingState.READ:
        raise AlreadyRead(f"Already read at {hour(study.read_at or clock.now())}.")
    turns.check(session, study, user_id)
    _end_other(session, study_id, user_id, take_over=take_over)
    made = _insert(session, study_id, user_id)
    set_state(session, study_id, ReadingState.READING)
    return made


def renew(session: Session, study_id: int, user_id: int) -> Claim:
    """Keep an own claim for another lease; one that ran out is made anew if the study is still free.

    Raises
    ------
    Held
        If somebody took the study over.
    AlreadyRead
        If somebody read it meanwhile.
    """
    try:
        return claim(session, study_id, user_id)
    except Held as error:
        name, since = _holder(session, study_id)
        raise Held(f"{name} took this study over at {since}.") from error


def release(session: Session, study_id: int, user_id: int, *, until: datetime | None = None) -> bool:
    """Give a study back to the list; say whether there was a claim of this reader to end.

    Parameters
    ----------
    until
        When the claim ends as far as the caller knows: a claim that was renewed since is kept. A page that is
        reloaded says goodbye only after the new one has claimed the study.
    """
    if not end(session, study_id, user_id, RELEASED, until=until):
        return False
    set_state(session, study_id, ReadingState.UNREAD)
    audit.record(
        session, username(session, user_id), "study.released", about=("study", study_id), reason=RELEASED
    )
    return True


def expire(session: Session) -> int:
    """End all claims whose lease is over, put their studies back to unread, and count them: for the sweep."""
    now = clock.now()
    due = session.scalars(select(Claim).where(Claim.released_at.is_(None), Claim.expires_at <= now)).all()
    return sum(_expire_one(session, found, now=now) for found in due)


def holder(session: Session, study_id: int) -> Claim | None:
    """Return the claim that is open, if there is one."""
    return session.scalar(select(Claim).where(Claim.study_id == study_id, Claim.released_at.is_(None)))


def held_by(session: Session, study_id: int) -> str:
    """Say who has a study open and since when, or nothing."""
    if holder(session, study_id) is None:
        return ""
    name, since = _holder(session, study_id)
    return f"Open since {since} by {name}."


def end(session: Session, study_id: int, user_id: int, reason: str, *, until: datetime | None = None) -> bool:
    """End this reader's claim and leave the study's state to the caller; say whether there was one."""
    ending = update(Claim).where(
        Claim.study_id == study_id, Claim.user_id == user_id, Claim.released_at.is_(None)
    )
    if until is not None:
        ending = ending.where(Claim.expires_at == until)
    return changed(session, ending.values(released_at=clock.now(), release_reason=reason)) == 1


def set_state(session: Session, study_id: int, state: ReadingState, *, read_at: datetime | None = None) -> None:
    """Move an open study to a state."""
    moved = changed(
        session,
        update(Study)
        .where(Study.id == study_id, Study.reading_state != ReadingState.READ)
        .values(reading_state=state, is_open=state is not ReadingState.READ, read_at=read_at),
    )
    if moved != 1:
        raise AlreadyRead("Somebody else has just read this study.")


def changed(session: Session, statement: Update) -> int:
    """Execute an update and count the rows it changed: the answer to every race."""
    result = session.execute(statement)
    assert isinstance(result, CursorResult)  # noqa: S101 - an update gives one; for the type checker
    return result.rowcount


def existing_study(session: Session, study_id: int) -> Study:
    """Return a study, or say that there is none."""
    study = session.get(Study, study_id)
    if study is None:
        raise NotFound("There is no such study.")
    return study


def locked_study(session: Session, study_id: int) -> Study:
    """Return a study as it is now, locked until the transaction ends."""
    study = session.get(Study, study_id, with_for_update=True, populate_existing=True)
    if study is None:
        raise NotFound("There is no such study.")
    return study


def username(session: Session, user_id: int) -> str:
    """Return the name under which a person's acts are recorded."""
    return session.get_one(User, user_id).username


def hour(moment: datetime) -> str:
    """Return a time of day for a sentence, in the time zone of the server."""
    return moment.astimezone().strftime("%H:%M")


def _extend(session: Session, study_id: int, user_id: int) -> bool:
    own = update(Claim).where(Claim.study_id == study_id, Claim.user_id == user_id, Claim.released_at.is_(None))
    return changed(session, own.values(expires_at=_lease_end(clock.now()))) == 1


def _end_other(session: Session, study_id: int, user_id: int, *, take_over: bool) -> None:
    now = clock.now()
    found = holder(session, study_id)
    if found is None:
        return
    ran_out = found.expires_at <= now
    ending = update(Claim).where(Claim.id == found.id, Claim.released_at.is_(None))
    if not take_over:
        ending = ending.where(Claim.expires_at <= now)
    reason = EXPIRED if ran_out else TAKEN_OVER
    if changed(session, ending.values(released_at=now, release_reason=reason)):
        _record_end(session, found, by=user_id, reason=reason)


def _record_end(session: Session, ended: Claim, *, by: int, reason: str) -> None:
    about, loser = ("study", ended.study_id), username(session, ended.user_id)
    if reason == EXPIRED:
        audit.record(session, loser, "study.released", about=about, reason=reason)
    else:
        audit.record(session, username(session, by), "study.taken_over", about=about, taken_from=loser)


def _insert(session: Session, study_id: int, user_id: int) -> Claim:
    now = clock.now()
    made = Claim(study_id=study_id, user_id=user_id, claimed_at=now, expires_at=_lease_end(now))
    try:
        with session.begin_nested():
            session.add(made)
            session.flush()
    except IntegrityError as error:
        raise Held(held_by(session, study_id) or "Somebody else has just opened this study.") from error
    audit.record(session, username(session, user_id), "study.claimed", about=("study", study_id))
    return made


def _expire_one(session: Session, found: Claim, *, now: datetime) -> bool:
    ending = update(Claim).where(Claim.id == found.id, Claim.released_at.is_(None), Claim.expires_at <= now)
    if changed(session, ending.values(released_at=now, release_reason=EXPIRED)) != 1:
        return False
    left = update(Study).where(Study.id == found.study_id, Study.reading_state == ReadingState.READING)
    changed(session, left.values(reading_state=ReadingState.UNREAD))
    _record_end(session, found, by=found.user_id, reason=EXPIRED)
    return True


def _open_claim(session: Session, study_id: int) -> Claim:
    return session.scalars(
        select(Claim)
        .where(Claim.study_id == study_id, Claim.released_at.is_(None))
        .execution_options(populate_existing=True)
    ).one()


def _holder(session: Session, study_id: int) -> tuple[str, str]:
    name, since = session.execute(
        select(User.display_name, Claim.claimed_at)
        .join(Claim, Claim.user_id == User.id)
        .where(Claim.study_id == study_id, Claim.released_at.is_(None))
    ).one()
    return name, hour(since)


def _lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.current().claim_lease_seconds)
