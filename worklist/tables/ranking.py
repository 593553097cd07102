"""The site's ranking policy; each change is a new row, the newest is in force."""

from datetime import datetime

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from worklist.database import Base, by_value
from worklist.tables.vocabulary import ControlRule


class RankingPolicy(Base):
    """How many seconds of waiting one unit of logit, and each clinical priority, are worth and may take."""

    __tablename__ = "ranking_policy"
    __table_args__ = (
        CheckConstraint("tau_seconds >= 0", name="tau_not_negative"),
        CheckConstraint("stat_bonus_seconds >= high_bonus_seconds", name="stat_at_least_high"),
        CheckConstraint("high_bonus_seconds >= 0", name="high_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    tau_seconds: Mapped[float]
    stat_bonus_seconds: Mapped[float]
    high_bonus_seconds: Mapped[float]
    stat_due_seconds: Mapped[float] = mapped_column(server_default="3600")
    high_due_seconds: Mapped[float] = mapped_column(server_default="14400")
    routine_due_seconds: Mapped[float] = mapped_column(server_default="86400")
    control_rule: Mapped[ControlRule] = mapped_column(
        by_value(ControlRule, checked=False), default=ControlRule.NONE, server_default="none"
    )
    control_share: Mapped[float] = mapped_column(default=0.0, server_default="0")
    # Nobody sees it: with it the arm of the next study could be told.
    control_seed: Mapped[str] = mapped_column(String(32), default="", server_default="")
    set_at: Mapped[datetime]
    set_by: Mapped[str] = mapped_column(String(64))
