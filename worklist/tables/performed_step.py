"""Performed procedure steps, as modalities report them: a hint when a study is complete."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worklist.database import Base, by_value
from worklist.tables.vocabulary import StepState


class PerformedStep(Base):
    """One Modality Performed Procedure Step; ``image_uids`` is what it made, as far as it has said."""

    __tablename__ = "performed_step"
    __table_args__ = (
        # intake.performed_steps: the steps of incomplete studies.
        Index("ix_performed_step_study", "study_instance_uid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    sop_instance_uid: Mapped[str] = mapped_column(String(64), unique=True)
    # No foreign key: a modality says that it begins before it sends the first image.
    study_instance_uid: Mapped[str] = mapped_column(String(64))
    state: Mapped[StepState] = mapped_column(by_value(StepState), default=StepState.IN_PROGRESS)
    image_uids: Mapped[list[str]] = mapped_column(JSON, default=list)
    begun_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
