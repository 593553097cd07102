"""What a training run tells: its log and the points of its curves."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session

from worklist import clock
from worklist.tables import TrainingEvent


@dataclass(frozen=True)
class Point:
    """One event of a run, as a worker reports it."""

    stage: str
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    seconds_left: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    message: str = ""


def add(session: Session, run_id: int, point: Point) -> None:
    """Store an event of a run."""
    session.add(TrainingEvent(training_run_id=run_id, at=clock.now(), **asdict(point)))


def told(session: Session, run_id: int, *, limit: int = 500) -> Sequence[TrainingEvent]:
    """Return the events of a run that say something to a person, the last ones in their order."""
    newest = session.scalars(
        select(TrainingEvent)
        .where(TrainingEvent.training_run_id == run_id, TrainingEvent.message != "")
        .order_by(TrainingEvent.id.desc())
        .limit(limit)
    )
    return list(newest)[::-1]


def last(session: Session, run_id: int) -> TrainingEvent | None:
    """Return where a run stands; None before its first event."""
    return session.scalars(
        select(TrainingEvent)
        .where(TrainingEvent.training_run_id == run_id)
        .order_by(TrainingEvent.id.desc())
        .limit(1)
    ).first()


def curve(session: Session, run_id: int) -> Sequence[Row[Any]]:
    """Return the points of a run's curves: `stage`, `epoch`, `step`, `steps`, `loss` and `metrics` of each."""
    columns = (TrainingEvent.stage, TrainingEvent.epoch, TrainingEvent.step, TrainingEvent.steps)
    return session.execute(
        select(*columns, TrainingEvent.loss, TrainingEvent.metrics)
        .where(
            TrainingEvent.training_run_id == run_id,
            or_(TrainingEvent.loss.is_not(None), TrainingEvent.epoch > 0, TrainingEvent.stage == "head"),
        )
        .order_by(TrainingEvent.id)
    ).all()
