"""The one audit and time-line stream, written in the transaction of the act itself."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
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


def about(session: Session, kind: str, key: int) -> Sequence[AuditEvent]:
    """Return all that happened to a row, given by kind and primary key, the newest first."""
    return session.scalars(
        select(AuditEvent)
        .where(AuditEvent.about_type == kind, AuditEvent.about_id == key)
        .order_by(AuditEvent.id.desc())
    ).all()
