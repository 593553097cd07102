"""Progress of a training run, as a page, a log or a command line gets it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from worklist.errors import Conflict


class Cancelled(Conflict):
    """Somebody stopped the run; what was done is kept, and the same call goes on there."""


class Busy(Conflict):
    """Another process trains in the folder of the run."""


class Stage(StrEnum):
    """What a run does at the moment."""

    START = "start"
    IMAGES = "images"
    FEATURES = "features"
    HEAD = "head"
    FINE_TUNING = "fine-tuning"
    EVALUATION = "evaluation"


@dataclass(frozen=True)
class TrainingEvent:
    """Where a run stands; no patient data, and images only by their name in the snapshot.

    Parameters
    ----------
    epoch, epochs
        From 1, of fine-tuning; 0 elsewhere.
    step, steps
        Of the stage, or of the epoch while fine-tuning.
    loss
        Mean over the epoch so far; None where there is none.
    metrics
        Figures on the tuning images, by name: `study_kappa`, `study_auc`.
    seconds_left
        Until the stage ends, if no epoch is saved by early stopping; None while nobody knows.
    message
        A sentence for a person; empty for mere progress.
    """

    stage: Stage
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds_left: float | None = None
    message: str = ""


Report = Callable[[TrainingEvent], None]
ShouldStop = Callable[[], bool]


def ignore(_event: TrainingEvent) -> None:
    """Take an event and do nothing."""


def never() -> bool:
    """Say that nobody wants to stop."""
    return False


class Watch:
    """Reports to whoever started the run, and asks them whether it may go on.

    Parameters
    ----------
    seconds_between
        Mere progress is told at most this often; the first and the last step always are.
    """

    def __init__(
        self, report: Report = ignore, should_stop: ShouldStop = never, *, seconds_between: float = 1
    ) -> None:
        self._report, self._should_stop, self._seconds_between = report, should_stop, seconds_between
        self._told_at = float("-inf")

    def say(self, stage: Stage, message: str) -> None:
        """Tell a person something."""
        self._report(TrainingEvent(stage, message=message))

    def tell(self, event: TrainingEvent) -> None:
        """Pass an event on, unless it is one of many within the same second."""
        now = time.monotonic()
        is_due = now - self._told_at >= self._seconds_between
        if is_due or event.message or event.metrics or event.step in {1, event.steps}:
            self._told_at = now
            self._report(event)

    def check(self, doing: str) -> None:
        """Go on, if nobody wants to stop.

        Raises
        ------
        Cancelled
            If somebody does; `doing` says at what.
        """
        if self._should_stop():
            raise Cancelled(f"Training was stopped at {doing}; the same call goes on there.")


class Pace:
    """Steps of one stage and the time that they will still take."""

    def __init__(self, watch: Watch, stage: Stage, steps: int) -> None:
        self._watch, self._stage, self._steps = watch, stage, steps
        self._started = time.monotonic()
        self._done = 0

    def note(self, count: int = 1) -> None:
        """Note that some more steps are done."""
        self._done += count

    def advance(self, count: int = 1) -> None:
        """Note that some more steps are done, tell it, and go on unless somebody wants to stop."""
        self.note(count)
        left = self.seconds_left(self._steps - self._done)
        self._watch.tell(TrainingEvent(self._stage, step=self._done, steps=self._steps, seconds_left=left))
        self._watch.check(f"the {self._stage} stage, {self._done} of {self._steps}")

    def seconds_left(self, steps: int) -> float:
        """Return how long so many steps will take, going by those done."""
        return (time.monotonic() - self._started) / max(self._done, 1) * steps
