"""What comes of a run: its logits measured, compared with the version in charge, and all of it on a card."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from workers.crop import PREPROCESSING_VERSION
from workers.engines import choice
from workers.training.events import Pace, Stage, Watch
from workers.training.images import Square, prepare_squares, write_whole
from workers.training.run_folder import finished_logits
from workers.weights import sha256_of
from worklist import clock, database, settings
from worklist.classifiers import runs, versions
from worklist.classifiers.labels import RULE
from worklist.dataset.pixels import Fingerprint, fingerprints
from worklist.dataset.snapshot import Role, SnapshotImage
from worklist.errors import WorklistError
from worklist.evaluation import comparison, leaks, report
from worklist.evaluation.comparison import GateTest
from worklist.tables import ClassifierState, ClassifierVersion, TrainingRun, TrainingState

STATEMENT = "Not a medical device. Figures hold for studies like those that it was measured on."
BATCH = 8


def write_card(
    run: TrainingRun, folder: Path, images: Sequence[SnapshotImage], cache: Path, watch: Watch
) -> Path:
    """Measure a finished training and write ``card.json`` beside its weights.

    Parameters
    ----------
    folder
        Of the run, with what `workers.training.run_folder` lists.
    images
        Of its snapshot, all roles.
    cache
        Folder of squares, which runs share.

    Raises
    ------
    Cancelled
        If somebody stops it.
    Unavailable
        If the card cannot be written.
    """
    logits = finished_logits(folder) or {}
    judged = [image for image in images if image.name in logits]
    watch.say(Stage.EVALUATION, f"Measuring on the {_studies(judged)} studies that were not learnt from.")
    champion = _champion(judged, cache, watch)
    tune = [image for image in judged if image.role is Role.TUNE]
    so_far = comparison.flagged(tune, champion.logits, champion.card) if champion else frozenset()
    card = {**_what_it_is(run, folder), **_data(run, images, judged), **report.measure(judged, logits, so_far)}
    watch.say(Stage.EVALUATION, "Looking for images that were learnt from and measured on.")
    twice = _leaks(images, watch)
    card["comparison"] = _comparison(card, judged, logits, champion, twice)
    path = folder / "card.json"
    write_whole(path, (json.dumps(card, indent=2, allow_nan=False) + "\n").encode())
    return path


def register(session: Session, run: TrainingRun, card: Path) -> None:
    """Add the draft version that came of a run, and end the run."""
    version = versions.register(session, card, run.requested_by)
    runs.end(session, run, TrainingState.DONE, version_id=version.id)


def _what_it_is(run: TrainingRun, folder: Path) -> dict[str, Any]:
    noted = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return {
        "name": run.name,
        "is_demo": settings.current().demo,
        "statement": STATEMENT,
        "architecture": "DenseNet201, global average pooling, dropout, one logit",
        "weights": "weights.npz",
        "sha256": sha256_of(folder / "weights.npz"),
        "input_size_px": noted["recipe"]["input_size_px"],
        "preprocessing_version": PREPROCESSING_VERSION,
        "start": {"kind": run.start, "version": _name(run.base_version_id), "weights": noted["start"]},
        "recipe": noted["recipe"],
        "history": json.loads((folder / "history.json").read_text(encoding="utf-8")),
        "requested_by": run.requested_by,
        "requested_at": run.requested_at.isoformat(),
        "trained_at": clock.now().isoformat(),
    }


def _data(run: TrainingRun, images: Sequence[SnapshotImage], judged: Sequence[SnapshotImage]) -> dict[str, Any]:
    not_fitted = sum(image.role is not Role.FIT for image in images)
    return {
        "data": {
            "snapshot_sha256": run.snapshot_sha256,
            "counts": run.counts,
            "verdicts": run.data["verdicts"],
            "folder": run.data["folder"],
            "label_rule": RULE if run.data["verdicts"] else "",
            "left_out": not_fitted - len(judged),
        }
    }


@dataclass(frozen=True)
class _Champion:
    """The version in charge, and what it says of the images; or why it could not be asked."""

    name: str
    sha256: str
    card: dict[str, Any]
    logits: Mapping[str, float]
    trouble: str = ""


def _champion(judged: Sequence[SnapshotImage], cache: Path, watch: Watch) -> _Champion | None:
    with database.reading() as session:
        version = versions.in_state(session, ClassifierState.CHAMPION)
    if version is None:
        return None
    watch.say(Stage.EVALUATION, f"Comparing with {version.name}, which is in charge.")
    try:
        logits = _logits(version, judged, cache, watch)
    except WorklistError as error:
        # A champion that cannot be loaded is no reason to lose what was trained.
        return _Champion(version.name, version.weights_sha256, version.card, {}, str(error))
    return _Champion(version.name, version.weights_sha256, version.card, logits)


def _comparison(
    card: dict[str, Any],
    judged: Sequence[SnapshotImage],
    logits: Mapping[str, float],
    champion: _Champion | None,
    twice: Sequence[GateTest],
) -> dict[str, Any]:
    """Return what the gate asks about studies that neither version has learnt from."""
    images = [image for image in judged if image.role is Role.TEST]
    if champion is None:
        tests = comparison.candidate_alone(images, logits, card)
    elif champion.trouble:
        tests = [_not_compared(champion)]
    else:
        tests = comparison.compare(comparison.held_out(images, logits, card, champion.logits, champion.card))
    return {
        "champion": champion.name if champion else "",
        "champion_sha256": champion.sha256 if champion else "",
        "studies": _studies(images),
        "snapshot_sha256": card["data"]["snapshot_sha256"],
        "tests": [test.as_json() for test in (*tests, *twice)],
    }


def _not_compared(champion: _Champion) -> GateTest:
    return GateTest(
        key="compared",
        question=f"Could it be compared with {champion.name}?",
        figure=f"No: {champion.trouble}",
        rule="Both versions judge the same studies.",
        passed=None,
    )


def _logits(
    version: ClassifierVersion, images: Sequence[SnapshotImage], cache: Path, watch: Watch
) -> dict[str, float]:
    """Return what a version says of images, by name."""
    network = choice.load(
        Path(version.weights_path), sha256=version.weights_sha256, input_size_px=version.input_size_px
    )
    squares = prepare_squares(images, version.input_size_px, cache, watch)
    pace = Pace(watch, Stage.EVALUATION, len(squares))
    found: dict[str, float] = {}
    for start in range(0, len(squares), BATCH):
        batch = squares[start : start + BATCH]
        logits, _ = network.predict(np.stack([_greys(square) for square in batch]))
        found |= {square.image.name: float(logit) for square, logit in zip(batch, logits, strict=True)}
        pace.advance(len(batch))
    return found


def _greys(square: Square) -> NDArray[np.float32]:
    return np.asarray(cv2.imread(str(square.path), cv2.IMREAD_GRAYSCALE), np.float32) / np.float32(255)


def _leaks(images: Sequence[SnapshotImage], watch: Watch) -> list[GateTest]:
    labelled = leaks.as_labelled(images)
    pace = Pace(watch, Stage.EVALUATION, len(labelled))
    prints = {}
    for image, found in fingerprints(labelled):
        if isinstance(found, Fingerprint):
            prints[image] = found
        pace.advance()
    return leaks.leaks(labelled, prints)


def _name(version_id: int | None) -> str:
    if version_id is None:
        return ""
    with database.reading() as session:
        return session.get_one(ClassifierVersion, version_id).name


def _studies(images: Sequence[SnapshotImage]) -> int:
    return len({(image.study, image.body_part) for image in images})
