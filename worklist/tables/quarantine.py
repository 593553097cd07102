"""Files that contradict what is known: kept apart, until an administrator has decided."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from worklist.database import Base, by_value
from worklist.tables.source import Source


class QuarantineKind(StrEnum):
    """What is wrong with a file that was set aside."""

    OTHER_STUDY = "other_study"
    OTHER_PATIENT = "other_patient"
    UNREADABLE = "unreadable"


class QuarantineState(StrEnum):
    """Does somebody still have to look at it?"""

    OPEN = "open"
    RESOLVED = "resolved"


class Resolution(StrEnum):
    """What was decided."""

    FILED = "filed"
    FITS = "fits"
    DISCARDED = "discarded"


OPEN = "state = 'open'"
# As words of SQL: SQLite uses a partial index only where it can see its condition, not for a parameter.
IS_OPEN = text("quarantined.state = 'open'")


class Quarantined(Base):
    """One file that was set aside; the same bytes sent again are counted, not kept twice.

    ``study_id`` is the study that it contradicts; ``study_instance_uid`` and the patient's columns are what the
    file itself says.
    """

    __tablename__ = "quarantined"
    __table_args__ = (
        CheckConstraint("(state = 'resolved') = (resolution IS NOT NULL)", name="resolved_with_resolution"),
        # held_files: the page, oldest first.
        Index("ix_quarantined_open", "id", postgresql_where=text(OPEN), sqlite_where=text(OPEN)),
        # ranked_list and study_detail: how many images of a study are held back.
        Index(
            "ix_quarantined_open_study_uid",
            "study_instance_uid",
            postgresql_where=text(OPEN),
            sqlite_where=text(OPEN),
        ),
        # ranked_list and study_detail: is an image of a study claimed by another one?
        Index("ix_quarantined_open_study", "study_id", postgresql_where=text(OPEN), sqlite_where=text(OPEN)),
        # held_files: what was decided lately.
        Index("ix_quarantined_resolved_at", "resolved_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    file_path: Mapped[str] = mapped_column(String(255))
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[QuarantineKind] = mapped_column(by_value(QuarantineKind))
    reason: Mapped[str] = mapped_column(Text, default="")

    sop_instance_uid: Mapped[str] = mapped_column(String(64), default="")
    series_instance_uid: Mapped[str] = mapped_column(String(64), default="")
    study_instance_uid: Mapped[str] = mapped_column(String(64), default="")
    patient_id: Mapped[str] = mapped_column(String(64), default="")
    patient_name: Mapped[str] = mapped_column(String(324), default="")
    birth_date: Mapped[str] = mapped_column(String(8), default="")
    sex: Mapped[str] = mapped_column(String(16), default="")
    accession_number: Mapped[str] = mapped_column(String(16), default="")
    study_date: Mapped[str] = mapped_column(String(8), default="")
    description: Mapped[str] = mapped_column(String(64), default="")

    study_id: Mapped[int | None] = mapped_column(ForeignKey("study.id", ondelete="SET NULL"))
    source_id: Mapped[int | None] = mapped_column(ForeignKey("source.id"))
    received_at: Mapped[datetime]
    last_received_at: Mapped[datetime]
    times_received: Mapped[int] = mapped_column(default=1)

    state: Mapped[QuarantineState] = mapped_column(by_value(QuarantineState), default=QuarantineState.OPEN)
    resolution: Mapped[Resolution | None] = mapped_column(by_value(Resolution))
    note: Mapped[str] = mapped_column(String(500), default="")
    resolved_by: Mapped[str] = mapped_column(String(64), default="")
    resolved_at: Mapped[datetime | None]

    source: Mapped[Source | None] = relationship(lazy="raise")
