"""What the receiver turned away lately, from the audit stream, told once for each sender and reason."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from worklist.tables import AuditEvent

MOST_EVENTS = 2000
"""Newest events that are looked at; a flood of them hides older ones, not the flood."""


class Why(StrEnum):
    """Why something was turned away."""

    UNKNOWN_SOURCE = "unknown_source"
    SWITCHED_OFF = "switched_off"
    WRONG_CALLED_AE_TITLE = "wrong_called_ae_title"
    TOO_MANY_ASSOCIATIONS = "too_many_associations"
    NO_SUCH_SERVICE = "no_such_service"
    INSTANCE_REFUSED = "instance_refused"


@dataclass(frozen=True)
class Rejected:
    """One kind of thing that one sender was turned away for.

    Attributes
    ----------
    status : str
        The status of a refused instance, such as ``0xC000``; empty for the others.
    service : str
        The name of a service that was asked for; empty for the others.
    times : int
        How many events there are; the same rejection within ten minutes is one.
    """

    why: Why
    calling: str
    called: str
    address: str
    status: str
    service: str
    reason: str
    times: int
    last_at: datetime


_ACTIONS = {
    "association.refused": None,
    "context.refused": Why.NO_SUCH_SERVICE,
    "instance.refused": Why.INSTANCE_REFUSED,
}


def rejected_since(session: Session, since: datetime) -> list[Rejected]:
    """Return what was turned away since a time, the latest first."""
    events = session.scalars(
        select(AuditEvent)
        .where(AuditEvent.action.in_(_ACTIONS), AuditEvent.at >= since)
        .order_by(AuditEvent.id.desc())
        .limit(MOST_EVENTS)
    )
    return _told_once(_rejected(event) for event in events)


def _rejected(event: AuditEvent) -> Rejected:
    detail = {name: str(value) for name, value in event.detail.items()}
    return Rejected(
        why=_ACTIONS[event.action] or Why(detail.get("why", Why.UNKNOWN_SOURCE)),
        calling=detail.get("calling", ""),
        called=detail.get("called", ""),
        address=detail.get("address", ""),
        status=detail.get("status", ""),
        service=detail.get("name", ""),
        reason=detail.get("reason", ""),
        times=1,
        last_at=event.at,
    )


def _told_once(newest_first: Iterable[Rejected]) -> list[Rejected]:
    found: dict[tuple[str, ...], Rejected] = {}
    for one in newest_first:
        # The free space of a disk, or a UID, makes no other reason.
        reason = re.sub(r"[0-9.]+", "#", one.reason)
        key = (one.why, one.calling, one.called, one.address, one.status, one.service, reason)
        known = found.get(key)
        found[key] = replace(known, times=known.times + 1) if known else one
    return list(found.values())
