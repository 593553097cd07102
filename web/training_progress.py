"""How far a training is, as its page shows it: state, bar, curves, log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from worklist.classifiers import run_log, runs
from worklist.tables import TrainingEvent, TrainingRun, TrainingState

# More points than a curve of this width can show.
MOST_POINTS = 240
STAGES = {
    "start": "Preparing",
    "images": "Cropping images",
    "features": "Computing features",
    "head": "Fitting the last layer",
    "fine-tuning": "Fine-tuning",
    "evaluation": "Measuring",
}
UNFINISHED = (TrainingState.QUEUED, TrainingState.RUNNING)


@dataclass(frozen=True)
class Curve:
    """A line in a square of 100, 0 at the lower left.

    Parameters
    ----------
    points
        Epoch and value of each point, as measured; epoch 0 is the last layer alone.
    places
        The same as SVG writes them.
    top
        The value at the upper edge.
    """

    name: str
    points: Sequence[tuple[float, float]]
    places: str
    top: float


@dataclass(frozen=True)
class Progress:
    """One training at one moment.

    Parameters
    ----------
    share
        Of the present stage that is done, 0...1; None while nobody knows.
    """

    run: TrainingRun
    last: TrainingEvent | None
    log: Sequence[TrainingEvent]
    metrics: Sequence[Curve]
    loss: Curve | None
    epochs: int

    @property
    def is_unfinished(self) -> bool:
        """It waits or runs."""
        return self.run.state in UNFINISHED

    @property
    def is_stopping(self) -> bool:
        """Somebody has cancelled it, and its worker has not seen that yet."""
        return self.is_unfinished and self.run.cancel_requested_at is not None

    @property
    def share(self) -> float | None:
        """Share of the present stage that is done; an epoch's worth for each epoch of fine-tuning."""
        if self.last is None or not self.last.steps:
            return None
        done = self.last.step / self.last.steps
        return (self.last.epoch - 1 + done) / self.last.epochs if self.last.epochs else done

    @property
    def stage(self) -> str:
        """What it does at the moment, in words."""
        if self.last is None:
            return ""
        words = STAGES.get(self.last.stage, self.last.stage)
        if self.last.epochs:
            words += f", epoch {self.last.epoch} of {self.last.epochs}"
        return words

    @property
    def time_left(self) -> str:
        """How long the present stage still takes, in words; empty while nobody knows."""
        if not self.is_unfinished or self.last is None or self.last.seconds_left is None:
            return ""
        return spoken(timedelta(seconds=self.last.seconds_left))

    @property
    def version(self) -> str:
        """Another one whenever the page has to be told something."""
        stopping = "s" if self.is_stopping else ""
        return f"{self.run.state.value}{stopping}-{self.run.attempt}-{self.last.id if self.last else 0}"


def progress_of(session: Session, run_id: int) -> Progress:
    """Collect everything that the page of a training shows.

    Raises
    ------
    NotFound
        If there is no such training.
    """
    run = runs.existing(session, run_id)
    points = run_log.curve(session, run_id)
    epochs = max([1, *(point.epoch for point in points)])
    names = dict.fromkeys(name for point in points for name in point.metrics)
    return Progress(
        run=run,
        last=run_log.last(session, run_id),
        log=run_log.told(session, run_id),
        metrics=[_metric(name, points, epochs) for name in names],
        loss=_loss(points, epochs),
        epochs=epochs,
    )


def spoken(time: timedelta) -> str:
    """Return a length of time as people say it."""
    seconds = round(time.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"


def _metric(name: str, points: Iterable[Row[Any]], epochs: int) -> Curve:
    found = [(float(point.epoch), float(point.metrics[name])) for point in points if name in point.metrics]
    return _curve(name.removeprefix("study_").replace("auc", "AUC"), found, epochs, top=1.0)


def _loss(points: Iterable[Row[Any]], epochs: int) -> Curve | None:
    found = [
        (point.epoch - 1 + point.step / point.steps, float(point.loss))
        for point in points
        if point.loss is not None and point.epoch and point.steps
    ]
    found = found[:: len(found) // MOST_POINTS + 1]
    return _curve("loss", found, epochs, top=max(value for _, value in found)) if found else None


def _curve(name: str, points: Sequence[tuple[float, float]], epochs: int, *, top: float) -> Curve:
    places = " ".join(
        f"{100 * at / epochs:.1f},{100 - 100 * max(value, 0) / (top or 1):.1f}" for at, value in points
    )
    return Curve(name, points, places, top)
