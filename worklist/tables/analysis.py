"""One analysis: which classifier version predicted what of which instance, or why nothing."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from worklist.database import Base, by_value


class AnalysisState(StrEnum):
    """Claimed by a worker, done, or impossible."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Analysis(Base):
    """The row that a worker claims first and fills in later; never overwritten by another version."""

    __tablename__ = "analysis"
    __table_args__ = (
        UniqueConstraint("instance_id", "classifier_version_id", "preprocessing_version"),
        CheckConstraint("probability BETWEEN 0 AND 1", name="probability_range"),
        # The sweep: claims whose worker has given no sign of life.
        Index(
            "ix_analysis_running",
            "lease_expires_at",
            postgresql_where=text("state = 'running'"),
            sqlite_where=text("state = 'running'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[int] = mapped_column(ForeignKey("instance.id", ondelete="CASCADE"))
    classifier_version_id: Mapped[int] = mapped_column(ForeignKey("classifier_version.id"))
    preprocessing_version: Mapped[int]
    state: Mapped[AnalysisState] = mapped_column(by_value(AnalysisState))
    attempt: Mapped[int] = mapped_column(default=1)
    worker: Mapped[str] = mapped_column(String(128), default="")
    lease_expires_at: Mapped[datetime | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    logit: Mapped[float | None]
    probability: Mapped[float | None]
    crop_top: Mapped[int | None]
    crop_left: Mapped[int | None]
    crop_height: Mapped[int | None]
    crop_width: Mapped[int | None]
    crop_reason: Mapped[str] = mapped_column(Text, default="")
    explained_class: Mapped[str] = mapped_column(String(16), default="")
    # Little-endian float16, row by row, 0 to 1; numbers, not colours (docs/decisions/0007).
    heat_map: Mapped[bytes | None] = mapped_column(LargeBinary)
    heat_map_rows: Mapped[int | None]
    heat_map_columns: Mapped[int | None]
    reason: Mapped[str] = mapped_column(Text, default="")
