"""Claims and verdicts: a reader has opened a study; a reader's judgement of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from worklist.database import Base, by_value
from worklist.tables.vocabulary import Finding, HeatMapPlace, MarkKind, Opinion, Turn

__all__ = ["Claim", "Finding", "HeatMapPlace", "Mark", "MarkKind", "Opinion", "Verdict"]


class Claim(Base):
    """A reader has a study open, until the lease ends."""

    __tablename__ = "claim"
    __table_args__ = (
        # One claim at a time; also the list's look-up of who has a study open.
        Index(
            "uq_claim_open",
            "study_id",
            unique=True,
            postgresql_where=text("released_at IS NULL"),
            sqlite_where=text("released_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    claimed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    release_reason: Mapped[str] = mapped_column(String(32), default="")
    # In anti-bias mode: what the reader thought before the classifier's result was shown.
    first_opinion: Mapped[Opinion | None] = mapped_column(by_value(Opinion, name="first_opinion"))


class Verdict(Base):
    """A reader's judgement, tied to the result version and to what was visible when it was given.

    Never changed: a correction is a new row that names the one it replaces.
    """

    __tablename__ = "verdict"
    __table_args__ = (
        # The history of a study.
        Index("ix_verdict_study", "study_id", "id"),
        # A verdict is replaced once at most.
        Index(
            "uq_verdict_replaces",
            "replaces_id",
            unique=True,
            postgresql_where=text("replaces_id IS NOT NULL"),
            sqlite_where=text("replaces_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    opinion: Mapped[Opinion] = mapped_column(by_value(Opinion))
    turn: Mapped[Turn] = mapped_column(
        by_value(Turn, checked=False), default=Turn.FIRST, server_default="first"
    )
    # Before the classifier's result was shown; None outside anti-bias mode.
    first_opinion: Mapped[Opinion | None] = mapped_column(by_value(Opinion, name="first_opinion"))
    # The main finding; None where the reader named none.
    finding: Mapped[Finding | None] = mapped_column(by_value(Finding))
    # None where the reader did not say.
    heat_map: Mapped[HeatMapPlace | None] = mapped_column(by_value(HeatMapPlace))
    note: Mapped[str] = mapped_column(Text, default="")
    result_version: Mapped[int]
    study_probability: Mapped[float | None]
    visible: Mapped[dict[str, Any]] = mapped_column(JSON)
    given_at: Mapped[datetime]
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("verdict.id"))
    retracted_at: Mapped[datetime | None]

    marks: Mapped[list["Mark"]] = relationship(lazy="selectin", order_by="Mark.id", passive_deletes=True)


class Mark(Base):
    """A point or box on a finding, or the crop as it should be, in pixels of the stored image."""

    __tablename__ = "mark"
    __table_args__ = (
        CheckConstraint("width > 0 AND height > 0", name="has_an_area"),
        # The marks of a verdict.
        Index("ix_mark_verdict", "verdict_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    verdict_id: Mapped[int] = mapped_column(ForeignKey("verdict.id", ondelete="CASCADE"))
    instance_id: Mapped[int] = mapped_column(ForeignKey("instance.id", ondelete="CASCADE"))
    kind: Mapped[MarkKind] = mapped_column(by_value(MarkKind))
    left: Mapped[int]
    top: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
