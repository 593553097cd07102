"""The versions of the classifier, their calibration, and their operating points."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from worklist.database import Base, by_value
from worklist.tables.vocabulary import Attention, BodyPart


class ClassifierState(StrEnum):
    """Draft, watching, in charge, gone."""

    DRAFT = "draft"
    SHADOW = "shadow"
    CHAMPION = "champion"
    RETIRED = "retired"


class ClassifierVersion(Base):
    """The network with its weights (by hash) and its card."""

    __tablename__ = "classifier_version"
    # One version is in charge and one watches; the database says so, not a check in code.
    __table_args__ = (
        Index(
            "uq_classifier_version_champion",
            "state",
            unique=True,
            postgresql_where=text("state = 'champion'"),
            sqlite_where=text("state = 'champion'"),
        ),
        Index(
            "uq_classifier_version_shadow",
            "state",
            unique=True,
            postgresql_where=text("state = 'shadow'"),
            sqlite_where=text("state = 'shadow'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[ClassifierState] = mapped_column(by_value(ClassifierState))
    weights_path: Mapped[str] = mapped_column(String(1024))
    weights_sha256: Mapped[str] = mapped_column(String(64))
    input_size_px: Mapped[int]
    is_demo: Mapped[bool] = mapped_column(default=False)
    card: Mapped[dict[str, Any]] = mapped_column(JSON)
    registered_at: Mapped[datetime]
    registered_by: Mapped[str] = mapped_column(String(64))
    # Why a worker could not load it; empty if one could.
    trouble: Mapped[str] = mapped_column(Text, default="")
    shadow_since: Mapped[datetime | None]
    # Of the last time; None: it was never in charge, and nothing it found is ever shown.
    promoted_at: Mapped[datetime | None]

    calibrations: Mapped[list["Calibration"]] = relationship(lazy="raise", passive_deletes=True)
    operating_points: Mapped[list["OperatingPoint"]] = relationship(lazy="raise", passive_deletes=True)


class Calibration(Base):
    """Platt scaling of one body part: probability = sigmoid(slope * logit + intercept)."""

    __tablename__ = "calibration"
    __table_args__ = (
        UniqueConstraint("classifier_version_id", "body_part"),
        CheckConstraint("slope > 0", name="slope_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    classifier_version_id: Mapped[int] = mapped_column(ForeignKey("classifier_version.id", ondelete="CASCADE"))
    body_part: Mapped[BodyPart] = mapped_column(by_value(BodyPart))
    slope: Mapped[float]
    intercept: Mapped[float]


class OperatingPoint(Base):
    """A named threshold of one body part, with the sensitivity and specificity it was chosen for."""

    __tablename__ = "operating_point"
    __table_args__ = (
        UniqueConstraint("classifier_version_id", "body_part", "attention"),
        CheckConstraint("threshold BETWEEN 0 AND 1", name="threshold_range"),
        CheckConstraint("attention <> 'none'", name="attention_named"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    classifier_version_id: Mapped[int] = mapped_column(ForeignKey("classifier_version.id", ondelete="CASCADE"))
    body_part: Mapped[BodyPart] = mapped_column(by_value(BodyPart))
    attention: Mapped[Attention] = mapped_column(by_value(Attention))
    threshold: Mapped[float]
    sensitivity: Mapped[float | None]
    sensitivity_low: Mapped[float | None]
    sensitivity_high: Mapped[float | None]
    specificity: Mapped[float | None]
    specificity_low: Mapped[float | None]
    specificity_high: Mapped[float | None]
