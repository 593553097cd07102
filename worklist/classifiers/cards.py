"""A classifier's card: the JSON file beside its weights that says what they are, and what was measured.

The registry keeps weights of its own, named by their hash, so that no clean-up of the folder of a training run
can take away what a result on the page was made with.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from worklist import settings
from worklist.errors import Invalid, Unavailable
from worklist.tables import Attention, BodyPart, Calibration, OperatingPoint

REQUIRED = frozenset({"name", "weights", "sha256", "input_size_px", "is_demo"})


def read_card(path: Path) -> dict[str, Any]:
    """Read a card.

    Raises
    ------
    Invalid
        If it cannot be read, is no JSON object, or leaves out what every card says.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(f"The card {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise Invalid(f"The card {path} is not JSON: {error}.") from error
    if not isinstance(card, dict):
        raise Invalid(f"The card {path} is not a JSON object.")
    missing = sorted(REQUIRED - set(card))
    if missing:
        raise Invalid(f"The card {path} does not say {', '.join(missing)}.")
    return card


def keep_weights(weights: Path, sha256: str) -> Path:
    """Copy weights into the registry's folder, under their hash, and return where they are now.

    Raises
    ------
    Invalid
        If they cannot be read, or are not those of the card.
    Unavailable
        If they cannot be written.
    """
    _check_hash(weights, sha256)
    kept = settings.current().classifier_folder / f"{sha256}.npz"
    if kept.exists():
        _check_hash(kept, sha256)
        return kept
    unfinished = kept.with_suffix(f".{os.getpid()}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(weights, unfinished)
        _sync(unfinished)
        unfinished.replace(kept)
        _sync(kept.parent)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise Unavailable(f"The weights cannot be kept in {kept.parent}: {error.strerror}.") from error
    return kept


def calibrations(card: dict[str, Any]) -> list[Calibration]:
    """Return the rows of a card's calibration; a `ValueError` or `KeyError` says what does not belong there."""
    return [
        Calibration(
            body_part=BodyPart(part), slope=_positive(item["slope"]), intercept=float(item["intercept"])
        )
        for part, item in card.get("calibration", {}).items()
    ]


def operating_points(card: dict[str, Any]) -> list[OperatingPoint]:
    """Return the rows of a card's operating points; a `ValueError` or `KeyError` says what is wrong."""
    return [
        OperatingPoint(body_part=BodyPart(part), attention=_named(name), **_figures(point))
        for part, points in card.get("operating_points", {}).items()
        for name, point in points.items()
    ]


def _check_hash(weights: Path, expected: str) -> None:
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Invalid(f"The weights {weights} cannot be read: {error.strerror}.") from error
    if found != expected:
        raise Invalid(f"The weights {weights} have SHA-256 {found}, their card says {expected}.")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _positive(slope: Any) -> float:
    # With any other slope a higher logit would be a lower probability.
    if not float(slope) > 0:
        raise ValueError(f"a calibration has slope {slope}")
    return float(slope)


def _named(name: str) -> Attention:
    if name not in (Attention.FLAGGED, Attention.LOOK_CLOSER):
        raise ValueError(f"there is no operating point {name!r}")
    return Attention(name)


def _figures(point: dict[str, Any]) -> dict[str, float | None]:
    if not 0 <= float(point["threshold"]) <= 1:
        raise ValueError(f"an operating point has threshold {point['threshold']}")
    names = ("sensitivity", "specificity")
    ends = tuple(f"{name}_{end}" for name in names for end in ("low", "high"))
    return {name: point.get(name) for name in ("threshold", *names, *ends)}
