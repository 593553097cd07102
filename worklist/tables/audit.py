"""The one audit and time-line stream."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from worklist.database import Base


class AuditEvent(Base):
    """Who did what to what, and when; only ever added to."""

    __tablename__ = "audit_event"
    __table_args__ = (
        # The time-line of one study, user or instance.
        Index("ix_audit_event_about", "about_type", "about_id", "id"),
        # web.audit: what one person, program or source has done.
        Index("ix_audit_event_who", "who", "id"),
        # The newest events of one kind.
        Index("ix_audit_event_action", "action", "id"),
    )

    # SQLite gives a rowid to INTEGER only.
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    about_type: Mapped[str] = mapped_column(String(32))
    about_id: Mapped[int | None]
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
