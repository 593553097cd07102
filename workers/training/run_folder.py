"""What a run leaves on disk, and whether a run may go on in a folder.

run.json       snapshot, recipe, start and preprocessing: what decides the outcome
history.json   figures after the head and after each epoch
best.npz       weights of the best epoch so far
checkpoints/   where fine-tuning goes on after a kill
weights.npz    the result
logits.jsonl   the logit of each image to tune and to test with, one a line
"""

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from workers.crop import PREPROCESSING_VERSION
from workers.training.events import Busy
from workers.training.images import write_whole
from workers.training.measure import StudyFigures
from worklist.classifiers.recipe import Recipe
from worklist.dataset.snapshot import SnapshotImage, digest
from worklist.errors import Conflict, Unavailable


@dataclass(frozen=True)
class Epoch:
    """One line of a run's history.

    Parameters
    ----------
    epoch
        0: after the head; from 1: after so many epochs of fine-tuning.
    loss
        Mean over the epoch, class weights applied; None after the head.
    """

    epoch: int
    loss: float | None
    study_kappa: float
    study_auc: float

    @property
    def figures(self) -> StudyFigures:
        """What the tuning studies said."""
        return StudyFigures(self.study_kappa, self.study_auc)


@contextmanager
def alone_in(path: Path) -> Iterator[None]:
    """Keep other processes from training in a folder, which is made if it is not there; a kill frees it.

    Raises
    ------
    Busy
        If another process trains in it.
    Unavailable
        If it cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / "lock").open("w")
    except OSError as error:
        raise Unavailable(f"The folder {path} cannot be written: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"Another process trains in {path} at the moment.") from error
        yield


class RunFolder:
    """The folder of one run.

    Raises
    ------
    Conflict
        If it holds a run with another snapshot, recipe or start.
    Unavailable
        If it cannot be written.

    Notes
    -----
    Be `alone_in` it before.
    """

    def __init__(self, path: Path, images: Sequence[SnapshotImage], recipe: Recipe, start: str) -> None:
        self.path = path
        identity = {
            "snapshot": digest(images),
            "start": start,
            "preprocessing": PREPROCESSING_VERSION,
            "recipe": asdict(recipe),
        }
        self._take(identity)

    def _take(self, identity: Mapping[str, object]) -> None:
        """Note what this run is, or find that it is the same as was noted."""
        file = self.path / "run.json"
        if not file.exists():
            write_whole(file, (json.dumps(identity, indent=2) + "\n").encode())
            return
        noted = json.loads(file.read_text(encoding="utf-8"))
        differing = _differences(noted, json.loads(json.dumps(identity)))
        if differing:
            raise Conflict(
                f"{self.path} holds another run ({differing}); give another folder, or the same run to go on."
            )

    @property
    def weights(self) -> Path:
        """The result."""
        return self.path / "weights.npz"

    @property
    def best(self) -> Path:
        """The weights of the best epoch so far."""
        return self.path / "best.npz"

    @property
    def checkpoints(self) -> Path:
        """Where fine-tuning goes on."""
        return self.path / "checkpoints"

    def history(self) -> list[Epoch]:
        """Return what was noted so far."""
        file = self.path / "history.json"
        if not file.exists():
            return []
        return [Epoch(**line) for line in json.loads(file.read_text(encoding="utf-8"))]

    def note(self, history: Sequence[Epoch]) -> None:
        """Write the history."""
        lines = [asdict(epoch) for epoch in history]
        write_whole(self.path / "history.json", (json.dumps(lines, indent=2) + "\n").encode())

    def finish(self, images: Sequence[SnapshotImage], logits: Mapping[str, float]) -> None:
        """Write the logits, last of all: where they are, the run is finished."""
        lines = (
            json.dumps({"name": image.name, "role": image.role, "logit": logits[image.name]}) + "\n"
            for image in images
            if image.name in logits
        )
        write_whole(self.path / "logits.jsonl", "".join(lines).encode())

    def logits(self) -> dict[str, float] | None:
        """Return the logits of a finished run by name; None if it is not finished."""
        return finished_logits(self.path)


def finished_logits(path: Path) -> dict[str, float] | None:
    """Return the logits that a finished run left in its folder, by name of the image; None without any."""
    file = path / "logits.jsonl"
    if not file.exists():
        return None
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {line["name"]: line["logit"] for line in lines}


def _differences(noted: Mapping[str, object], asked: Mapping[str, object]) -> str:
    """Say in words how two runs differ; empty if they do not."""
    parts = []
    for name in asked:
        was, is_asked = noted.get(name), asked[name]
        if isinstance(was, dict) and isinstance(is_asked, dict):
            parts.append(_differences(was, is_asked))
        elif was != is_asked:
            parts.append(f"{name} {_short(was)}, now {_short(is_asked)}")
    return ", ".join(part for part in parts if part)


def _short(value: object) -> str:
    return f"{str(value)[:24]}…" if len(str(value)) > 24 else str(value)
