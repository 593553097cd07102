"""Storage commitment: who asked whether we keep which images, and whether the answer has reached them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from worklist.database import Base, by_value
from worklist.tables.source import Source
from worklist.tables.vocabulary import CommitmentState


class Commitment(Base):
    """One request to commit; it stays until its answer was taken or nobody wanted it for too long."""

    __tablename__ = "commitment"
    __table_args__ = (
        UniqueConstraint("source_id", "transaction_uid"),
        # The sweep: answers that are due.
        Index(
            "ix_commitment_due",
            "next_attempt_at",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    transaction_uid: Mapped[str] = mapped_column(String(64))
    # What the source called: it expects the answer from nobody else.
    our_ae_title: Mapped[str] = mapped_column(String(16))
    requested_at: Mapped[datetime]
    state: Mapped[CommitmentState] = mapped_column(by_value(CommitmentState), default=CommitmentState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    last_error: Mapped[str] = mapped_column(Text, default="")
    reported_at: Mapped[datetime | None]

    source: Mapped[Source] = relationship(lazy="raise")
    references: Mapped[list["CommitmentReference"]] = relationship(
        lazy="raise", order_by="CommitmentReference.id", passive_deletes=True
    )


class CommitmentReference(Base):
    """One image that was asked about; ``failure_reason`` is (0008,1197) as of the last look, None if kept."""

    __tablename__ = "commitment_reference"
    __table_args__ = (
        # The images of one request.
        Index("ix_commitment_reference_commitment", "commitment_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    commitment_id: Mapped[int] = mapped_column(ForeignKey("commitment.id", ondelete="CASCADE"))
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    sop_instance_uid: Mapped[str] = mapped_column(String(64))
    failure_reason: Mapped[int | None]
