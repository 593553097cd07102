"""Training runs: what an administrator asked for, how far it is, and what came of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from worklist.database import Base, by_value


class TrainingState(StrEnum):
    """Waits for its worker, has one, or how it ended."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED = text("state IN ('queued', 'running')")


class TrainingRun(Base):
    """One attempt to make a better classifier version.

    ``start`` says where the weights come from: "version" (``base_version_id``), "imagenet" or "scratch".
    ``data`` is what was asked for, ``counts`` what the snapshot holds of it. A worker claims the run with a
    lease, as it claims images.
    """

    __tablename__ = "training_run"
    __table_args__ = (
        # classifiers.runs: what a worker has to do, and the sweep.
        Index(
            "ix_training_run_unfinished",
            "id",
            postgresql_where=UNFINISHED,
            sqlite_where=UNFINISHED,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[TrainingState] = mapped_column(by_value(TrainingState), default=TrainingState.QUEUED)
    start: Mapped[str] = mapped_column(String(64))
    base_version_id: Mapped[int | None] = mapped_column(ForeignKey("classifier_version.id"))
    recipe: Mapped[dict[str, Any]] = mapped_column(JSON)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    snapshot_sha256: Mapped[str] = mapped_column(String(64), default="")
    counts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    requested_at: Mapped[datetime]
    requested_by: Mapped[str] = mapped_column(String(64))
    cancel_requested_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(String(128), default="")
    lease_expires_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    version_id: Mapped[int | None] = mapped_column(ForeignKey("classifier_version.id"))


class TrainingEvent(Base):
    """One line of a run's log, and one point of its curves."""

    __tablename__ = "training_event"
    __table_args__ = (
        # classifiers.runs: the log of a run.
        Index("ix_training_event_run", "training_run_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    training_run_id: Mapped[int] = mapped_column(ForeignKey("training_run.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    stage: Mapped[str] = mapped_column(String(32))
    epoch: Mapped[int] = mapped_column(default=0)
    epochs: Mapped[int] = mapped_column(default=0)
    step: Mapped[int] = mapped_column(default=0)
    steps: Mapped[int] = mapped_column(default=0)
    loss: Mapped[float | None]
    seconds_left: Mapped[float | None]
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    message: Mapped[str] = mapped_column(Text, default="")
