"""A reader's judgement of a study: given, corrected, retracted, put off; never changed, never lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from worklist import audit, clock, settings
from worklist.errors import Conflict, NotFound
from worklist.reading import claims, first_opinion
from worklist.reading.judgement import Judgement
from worklist.tables import Opinion, ReadingState, Role, Study, User, Verdict

# Longer ago, the key for undo would more likely be a slip.
UNDO_TIME = timedelta(minutes=30)


class NewImage(Conflict):
    """The study has an image that its reader has not seen."""


@dataclass(frozen=True)
class Seen:
    """What the reader had in front of them when they judged.

    Attributes
    ----------
    study_probability : float or None
        0 to 1, as it stood on the page; None if the page showed none.
    visible : dict
        JSON values: instances shown, heat map and crop on or off.
    """

    content_version: int
    result_version: int
    study_probability: float | None = None
    visible: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PastVerdict:
    """One line of a study's history."""

    id: int
    user_id: int
    reader: str
    judgement: Judgement
    given_at: datetime
    retracted_at: datetime | None
    is_replaced: bool

    @property
    def stands(self) -> bool:
        """Is this what the study's reading says today?"""
        return self.retracted_at is None and not self.is_replaced


@dataclass(frozen=True)
class Undoable:
    """The verdict that a reader's key for undo would take back."""

    verdict_id: int
    study_id: int
    opinion: Opinion


def give_verdict(session: Session, study_id: int, user_id: int, judgement: Judgement, *, seen: Seen) -> Verdict:
    """Store a reader's judgement and close the study; on a study they have read, correct it.

    A new image since the page was opened refuses the verdict, because it would go unread with a study that
    counts as read. A new *result* does not: it is stored which one the reader saw.

    Raises
    ------
    NewImage
        If an image came that the page did not show.
    Invalid
        If the finding is none of the study's body part.
    Conflict
        If somebody else has the study open or has read it.
    """
    study = claims.existing_study(session, study_id)
    _check(study, seen)
    judgement.check(study.body_part)
    standing = standing_verdict(session, study_id)
    is_correction = study.reading_state is ReadingState.READ
    if is_correction:
        _refuse_others(session, standing, user_id)
        if standing and _judgement(standing) == judgement:
            return standing  # the same form sent twice
    else:
        _close(session, study_id, user_id)
    verdict = Verdict(
        study_id=study_id,
        user_id=user_id,
        **vars(judgement),
        first_opinion=_first(session, study_id, user_id, judgement.opinion),
        result_version=seen.result_version,
        study_probability=seen.study_probability,
        visible=seen.visible,
        given_at=clock.now(),
        replaces_id=standing.id if standing else None,
    )
    _store(session, verdict)
    return verdict


def retract(session: Session, verdict_id: int, user_id: int) -> int:
    """Take a verdict back, so that its study waits for a reader again; return the study's id.

    Raises
    ------
    Conflict
        If it does not stand any more, or is somebody else's and the person is no lead.
    """
    verdict = session.get(Verdict, verdict_id)
    if verdict is None:
        raise NotFound("There is no such verdict.")
    if verdict.user_id != user_id and session.get_one(User, user_id).role is not Role.LEAD:
        raise Conflict("Only its reader or a lead can take a verdict back.")
    _retract_standing(session, verdict)
    _reopen(session, verdict.study_id)
    who = claims.username(session, user_id)
    audit.record(session, who, "verdict.retracted", about=("study", verdict.study_id), verdict=verdict_id)
    return verdict.study_id


def defer(session: Session, study_id: int, user_id: int) -> None:
    """Put a study off: it stays in the list, marked as deferred.

    Raises
    ------
    Conflict
        If somebody else has the study open or has read it.
    """
    claims.claim(session, study_id, user_id)
    claims.end(session, study_id, user_id, "deferred")
    claims.set_state(session, study_id, ReadingState.DEFERRED)
    audit.record(session, claims.username(session, user_id), "study.deferred", about=("study", study_id))


def history(session: Session, study_id: int) -> Sequence[PastVerdict]:
    """Return everything that readers have said of a study, the newest first."""
    later = aliased(Verdict)
    rows = session.execute(
        select(Verdict, User.display_name, later.id)
        .join(User, Verdict.user_id == User.id)
        .outerjoin(later, later.replaces_id == Verdict.id)
        .where(Verdict.study_id == study_id)
        .order_by(Verdict.id.desc())
    )
    return [_past(verdict, reader, is_replaced=later_id is not None) for verdict, reader, later_id in rows]


def standing_verdict(session: Session, study_id: int) -> Verdict | None:
    """Return the verdict that was neither retracted nor replaced, if there is one."""
    later = aliased(Verdict)
    return session.scalar(
        select(Verdict)
        .outerjoin(later, later.replaces_id == Verdict.id)
        .where(Verdict.study_id == study_id, Verdict.retracted_at.is_(None), later.id.is_(None))
        .order_by(Verdict.id.desc())
        .limit(1)
    )


def last_of(session: Session, user_id: int) -> Undoable | None:
    """Return the newest verdict of a reader if it still stands and was given just now."""
    newest = session.scalar(
        select(Verdict).where(Verdict.user_id == user_id).order_by(Verdict.id.desc()).limit(1)
    )
    if newest is None or clock.now() - newest.given_at > UNDO_TIME:
        return None
    standing = standing_verdict(session, newest.study_id)
    if standing is None or standing.id != newest.id:
        return None
    return Undoable(newest.id, newest.study_id, newest.opinion)


def _check(study: Study, seen: Seen) -> None:
    if study.content_version != seen.content_version:
        raise NewImage(
            f"A new image came at {claims.hour(study.last_received_at)}, after you opened this study. "
            "Look at it, then save again."
        )


def _refuse_others(session: Session, standing: Verdict | None, user_id: int) -> None:
    if standing is None or standing.user_id != user_id:
        reader = session.get_one(User, standing.user_id).display_name if standing else "somebody else"
        raise Conflict(f"This study has been read by {reader} meanwhile.")


def _close(session: Session, study_id: int, user_id: int) -> None:
    claims.claim(session, study_id, user_id)
    claims.end(session, study_id, user_id, "read")
    claims.set_state(session, study_id, ReadingState.READ, read_at=clock.now())
    audit.record(session, claims.username(session, user_id), "study.read", about=("study", study_id))


def _store(session: Session, verdict: Verdict) -> None:
    session.add(verdict)
    session.flush()
    audit.record(
        session,
        claims.username(session, verdict.user_id),
        "verdict.given",
        about=("study", verdict.study_id),
        verdict=verdict.id,
        opinion=verdict.opinion.value,
        finding=verdict.finding,
        heat_map=verdict.heat_map,
        replaces=verdict.replaces_id,
    )


def _retract_standing(session: Session, verdict: Verdict) -> None:
    standing = standing_verdict(session, verdict.study_id)
    taking_back = update(Verdict).where(Verdict.id == verdict.id, Verdict.retracted_at.is_(None))
    if (
        standing is None
        or standing.id != verdict.id
        or claims.changed(session, taking_back.values(retracted_at=clock.now())) != 1
    ):
        raise Conflict("This verdict does not stand any more.")


def _reopen(session: Session, study_id: int) -> None:
    reopening = update(Study).where(Study.id == study_id, Study.reading_state == ReadingState.READ)
    claims.changed(session, reopening.values(reading_state=ReadingState.UNREAD, is_open=True, read_at=None))


def _past(verdict: Verdict, reader: str, *, is_replaced: bool) -> PastVerdict:
    return PastVerdict(
        id=verdict.id,
        user_id=verdict.user_id,
        reader=reader,
        judgement=_judgement(verdict),
        given_at=verdict.given_at,
        retracted_at=verdict.retracted_at,
        is_replaced=is_replaced,
    )


def _first(session: Session, study_id: int, user_id: int, opinion: Opinion) -> Opinion | None:
    """Return what the reader thought before they saw the result; a verdict without looking is that itself."""
    if not settings.current().anti_bias:
        return None
    return first_opinion.given(session, study_id, user_id) or opinion


def _judgement(verdict: Verdict) -> Judgement:
    return Judgement(verdict.opinion, verdict.finding, verdict.heat_map, verdict.note)
