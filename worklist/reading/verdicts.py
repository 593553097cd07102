"""A reader's judgement of a study: given, corrected, retracted, put off; never changed, never lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from worklist import audit, clock, settings
from worklist.errors import Conflict, NotFound
from worklist.reading import claims, first_opinion, turns
from worklist.reading.judgement import DrawnMark, Judgement
from worklist.tables import Instance, Mark, Opinion, ReadingState, Role, Series, Study, Turn, User, Verdict

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
    turn: Turn
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
    """Store a reader's judgement and close the study, or hand it to the next reader; correct an own one.

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
    study = claims.locked_study(session, study_id)
    _check(study, seen)
    judgement.check(study.body_part)
    _check_marks(session, study_id, judgement)
    standing = turns.standing(session, study_id)
    replaced = _corrected(session, study, standing, user_id)
    is_correction = replaced is not None
    if replaced is not None:
        if _judgement(replaced) == judgement:
            return replaced  # the same form sent twice
    else:
        replaced = standing.get(study.turn)
        _hand_in(session, study_id, user_id)
    verdict = Verdict(
        study_id=study_id,
        user_id=user_id,
        turn=replaced.turn if replaced else study.turn,
        **{name: value for name, value in vars(judgement).items() if name != "marks"},
        marks=[Mark(**vars(mark)) for mark in judgement.marks],
        first_opinion=_first(session, study_id, user_id, judgement.opinion),
        result_version=seen.result_version,
        study_probability=seen.study_probability,
        visible=seen.visible,
        given_at=clock.now(),
        replaces_id=replaced.id if replaced else None,
    )
    _store(session, verdict)
    who = claims.username(session, user_id)
    if is_correction:
        _settle_anew(session, study, who)
    elif (turn := turns.after(session, study)) is not None:
        turns.pass_on(session, study, turn, who)
    else:
        _close(session, study_id, who)
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
    claims.locked_study(session, verdict.study_id)
    _retract_standing(session, verdict)
    _reopen(session, verdict.study_id, verdict.turn)
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


def last_of(session: Session, user_id: int) -> Undoable | None:
    """Return the newest verdict of a reader if it still stands and was given just now."""
    newest = session.scalar(
        select(Verdict).where(Verdict.user_id == user_id).order_by(Verdict.id.desc()).limit(1)
    )
    if newest is None or clock.now() - newest.given_at > UNDO_TIME:
        return None
    standing = turns.standing(session, newest.study_id).get(newest.turn)
    if standing is None or standing.id != newest.id:
        return None
    return Undoable(newest.id, newest.study_id, newest.opinion)


def _check(study: Study, seen: Seen) -> None:
    if study.content_version != seen.content_version:
        raise NewImage(
            f"A new image came at {claims.hour(study.last_received_at)}, after you opened this study. "
            "Look at it, then save again."
        )


def _check_marks(session: Session, study_id: int, judgement: Judgement) -> None:
    if not judgement.marks:
        return
    rows = session.execute(
        select(Instance.id, Instance.rows, Instance.columns)
        .join(Instance.series)
        .where(Series.study_id == study_id, Instance.is_current)
    )
    sizes = {row.id: (row.rows or 0, row.columns or 0) for row in rows}
    for mark in judgement.marks:
        mark.check(sizes)


def _corrected(
    session: Session, study: Study, standing: Mapping[Turn, Verdict], user_id: int
) -> Verdict | None:
    """Return the verdict of this reader that another one corrects; None if the study waits for their judgement.

    A study that another image has opened again waits for the judgement of anybody.
    """
    own = next((verdict for verdict in standing.values() if verdict.user_id == user_id), None)
    if study.reading_state is ReadingState.READ:
        if own is None:
            last = max(standing.values(), key=lambda verdict: verdict.id, default=None)
            reader = session.get_one(User, last.user_id).display_name if last else "somebody else"
            raise Conflict(f"This study has been read by {reader} meanwhile.")
        return own
    return own if own is not None and user_id in turns.earlier_readers(session, study) else None


def _hand_in(session: Session, study_id: int, user_id: int) -> None:
    """End the reader's claim: the study is theirs to judge, and now judged."""
    claims.claim(session, study_id, user_id)
    claims.end(session, study_id, user_id, "read")


def _close(session: Session, study_id: int, who: str) -> None:
    claims.set_state(session, study_id, ReadingState.READ, read_at=clock.now())
    audit.record(session, who, "study.read", about=("study", study_id))


def _settle_anew(session: Session, study: Study, who: str) -> None:
    """After a correction: two readers who now differ need a lead, and two who now agree need none any more."""
    found = turns.standing(session, study.id)
    if Turn.SECOND not in found or Turn.ARBITRATION in found:
        return
    if turns.differ(found) and study.turn is not Turn.ARBITRATION:
        turns.pass_on(session, study, Turn.ARBITRATION, who)
    elif not turns.differ(found) and study.turn is Turn.ARBITRATION:
        session.execute(update(Study).where(Study.id == study.id).values(turn=Turn.SECOND))
        _end_claims(session, study.id)
        _close(session, study.id, who)


def _end_claims(session: Session, study_id: int) -> None:
    holder = claims.holder(session, study_id)
    if holder is not None:
        claims.end(session, study_id, holder.user_id, "read")


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
        marks=len(verdict.marks),
        turn=verdict.turn,
        replaces=verdict.replaces_id,
    )


def _retract_standing(session: Session, verdict: Verdict) -> None:
    standing = turns.standing(session, verdict.study_id).get(verdict.turn)
    taking_back = update(Verdict).where(Verdict.id == verdict.id, Verdict.retracted_at.is_(None))
    if (
        standing is None
        or standing.id != verdict.id
        or claims.changed(session, taking_back.values(retracted_at=clock.now())) != 1
    ):
        raise Conflict("This verdict does not stand any more.")


def _reopen(session: Session, study_id: int, turn: Turn) -> None:
    session.execute(update(Study).where(Study.id == study_id).values(turn=turn))
    reopening = update(Study).where(Study.id == study_id, Study.reading_state == ReadingState.READ)
    claims.changed(session, reopening.values(reading_state=ReadingState.UNREAD, is_open=True, read_at=None))


def _past(verdict: Verdict, reader: str, *, is_replaced: bool) -> PastVerdict:
    return PastVerdict(
        id=verdict.id,
        user_id=verdict.user_id,
        reader=reader,
        turn=verdict.turn,
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
    marks = tuple(
        DrawnMark(mark.instance_id, mark.kind, mark.left, mark.top, mark.width, mark.height)
        for mark in verdict.marks
    )
    return Judgement(verdict.opinion, verdict.finding, verdict.heat_map, verdict.note, marks)
