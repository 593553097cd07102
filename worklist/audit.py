"""The one audit and time-line stream, written in the transaction of the act itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from worklist import clock
from worklist.tables import AuditEvent

EVENT = insert(AuditEvent)

# Documented in docs/audit.md; a test compares.
ACTIONS = (
    "instance.received",
    "instance.resent",
    "instance.conflict",
    "instance.refused",
    "instance.quarantined",
    "association.refused",
    "context.refused",
    "quarantine.seen",
    "quarantine.filed",
    "quarantine.checked",
    "quarantine.discarded",
    "quarantine.reopened",
    "study.completed",
    "study.reopened",
    "study.analysed",
    "study.opened",
    "study.compared",
    "study.claimed",
    "study.released",
    "study.taken_over",
    "study.deferred",
    "study.read",
    "study.second_reading",
    "study.arbitration",
    "verdict.first_opinion",
    "verdict.given",
    "verdict.retracted",
    "user.created",
    "user.signed_in",
    "user.sign_in_failed",
    "user.signed_out",
    "user.password_changed",
    "user.password_reset",
    "user.changed",
    "user.switched",
    "user.unlocked",
    "user.handed_over",
    "token.created",
    "token.revoked",
    "audit.exported",
    "ranking.changed",
    "view.saved",
    "view.removed",
    "classifier.registered",
    "classifier.in_shadow",
    "classifier.promoted",
    "classifier.retired",
    "training.requested",
    "training.cancelled",
    "training.ended",
    "source.added",
    "source.changed",
    "commitment.requested",
    "commitment.reported",
    "commitment.given_up",
    "query.answered",
    "images.retrieved",
)


def record(session: Session, who: str, action: str, *, about: tuple[str, int | None], **detail: Any) -> None:
    """Add one event.

    Parameters
    ----------
    who
        A user name, or the name of the process that acted, such as ``receiver``.
    action
        One of `ACTIONS`.
    about
        Kind and primary key of the row it is about.
    detail
        JSON values; ids, reasons and figures, never a patient's name or ID.
    """
    if action not in ACTIONS:
        raise ValueError(f"{action} is not an audit action")
    event = {"at": clock.now(), "who": who, "action": action, "detail": detail}
    # Past the session's unit of work: it would cost more than the row, and nobody changes an event.
    session.connection().execute(EVENT, {**event, "about_type": about[0], "about_id": about[1]})


@dataclass(frozen=True)
class Wanted:
    """Which events somebody asks for; everything is combined with *and*, and what is None asks for nothing.

    ``since`` and ``until`` bound the time, the end not included.
    """

    who: str | None = None
    action: str | None = None
    about_type: str | None = None
    about_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def events(
    session: Session, wanted: Wanted, *, before_id: int | None = None, limit: int = 100
) -> Sequence[AuditEvent]:
    """Return the newest events that are asked for, the newest first, below an id to go on from."""
    query = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit)
    for column, value in (
        (AuditEvent.who, wanted.who),
        (AuditEvent.action, wanted.action),
        (AuditEvent.about_type, wanted.about_type),
        (AuditEvent.about_id, wanted.about_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(AuditEvent.id >= _first_id_since(session, wanted.since))
    if wanted.until is not None:
        query = query.where(AuditEvent.id < _first_id_since(session, wanted.until))
    if before_id is not None:
        query = query.where(AuditEvent.id < before_id)
    return session.scalars(query).all()


def _first_id_since(session: Session, moment: datetime) -> int:
    """Return the first id at or after a moment, by halving: ids and times rise together, no index is needed."""
    low, high = 1, (session.scalar(select(func.max(AuditEvent.id))) or 0) + 1
    while low < high:
        middle = (low + high) // 2
        at_or_after = select(AuditEvent.id, AuditEvent.at).where(AuditEvent.id >= middle)
        row = session.execute(at_or_after.order_by(AuditEvent.id).limit(1)).first()
        if row is None or row.at >= moment:
            high = middle
        else:
            low = int(row.id) + 1
    return low


def about(session: Session, kind: str, key: int) -> Sequence[AuditEvent]:
    """Return all that happened to a row, given by kind and primary key, the newest first."""
    return session.scalars(
        select(AuditEvent)
        .where(AuditEvent.about_type == kind, AuditEvent.about_id == key)
        .order_by(AuditEvent.id.desc())
    ).all()
