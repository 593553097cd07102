"""Who sends: a calling AE title at an address, with its rules."""

from datetime import datetime

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from worklist.database import Base, by_value
from worklist.tables.vocabulary import BodyPart, ClinicalPriority


class Source(Base):
    """A calling AE title and network address that images come from."""

    __tablename__ = "source"
    # The receiver looks a source up by both at the start of every association.
    __table_args__ = (UniqueConstraint("ae_title", "address"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ae_title: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64), default="")
    is_enabled: Mapped[bool]
    # Where it listens itself: for answers to commitment requests and for images it asks for.
    port: Mapped[int | None]
    uses_tls: Mapped[bool] = mapped_column(default=False)
    default_body_part: Mapped[BodyPart | None] = mapped_column(by_value(BodyPart))
    clinical_priority: Mapped[ClinicalPriority] = mapped_column(
        by_value(ClinicalPriority), default=ClinicalPriority.ROUTINE
    )
    quiet_seconds: Mapped[float | None]
    # A term of (0008,0005) for images that name none; empty: UTF-8 where it is that, else Latin-1.
    character_set: Mapped[str] = mapped_column(String(16), default="", server_default="")
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
