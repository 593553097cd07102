"""bfloat16 halves the time of a pass and moves probabilities: what it costs on a site's own images.

It is used for a classifier only where that was measured and stayed within the bound; otherwise the
worker computes in float32 and says why.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worklist import logs, settings
from worklist.errors import Invalid
from worklist.tables import Attention, BodyPart, ClassifierVersion
from worklist.triage.prediction import Prediction
from worklist.triage.probability import attention, calibrated, study_probability

log = logs.logger(__name__)

LARGEST_CHANGE = 0.01
"""Largest change of a probability that is allowed unless an administrator says otherwise."""

FEWEST_IMAGES = 100
"""Fewer images say nothing about the next one."""


class Precision(StrEnum):
    """In which numbers the network computes."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True)
class Compared:
    """One stored image, judged in float32 and in the other precision."""

    study_id: int
    body_part: BodyPart | None
    exact: Prediction
    fast: Prediction


@dataclass(frozen=True)
class Loss:
    """What another precision changes on a site's own images.

    Attributes
    ----------
    images, studies : int
        How many were compared.
    largest_change, mean_change : float
        Of the calibrated probability of an image, 0...1.
    changed_studies : int
        Studies that reach another operating point.
    lowest_correlation, median_correlation : float
        Of the heat maps of an image, -1...1; 0 where only one of the two has a map.
    """

    images: int
    studies: int
    largest_change: float
    mean_change: float
    changed_studies: int
    lowest_correlation: float
    median_correlation: float


@dataclass(frozen=True)
class Bound:
    """Up to which loss a precision may be used."""

    largest_change: float = LARGEST_CHANGE
    changed_studies: int = 0

    def broken_by(self, loss: Loss) -> str:
        """Say what is over the bound; empty if nothing is."""
        if loss.images < FEWEST_IMAGES:
            return f"it was measured on {loss.images} images, and fewer than {FEWEST_IMAGES} say little"
        # Written so that a loss that is not a number breaks the bound.
        if not loss.largest_change <= self.largest_change:
            return f"it changes a probability by {loss.largest_change:.4f}, allowed is {self.largest_change:g}"
        if loss.changed_studies > self.changed_studies:
            return (
                f"it changes the operating point of {loss.changed_studies} of {loss.studies} studies, "
                f"allowed is {self.changed_studies}"
            )
        return ""


def measure(compared: Sequence[Compared], version: ClassifierVersion) -> Loss:
    """Return what was lost, with the calibration and the operating points of a classifier version.

    Raises
    ------
    Invalid
        If there is nothing to compare.
    """
    if not compared:
        raise Invalid("There is no stored image with a prediction to measure on.")
    pairs = [(_probability(one, one.exact, version), _probability(one, one.fast, version)) for one in compared]
    changes = [abs(fast - exact) for exact, fast in pairs]
    correlations = [_correlation(one.exact.heat_map, one.fast.heat_map) for one in compared]
    decisions = _decisions(compared, pairs, version)
    return Loss(
        images=len(compared),
        studies=len(decisions),
        largest_change=float(np.max(changes)),
        mean_change=float(np.mean(changes)),
        changed_studies=sum(exact != fast for exact, fast in decisions),
        lowest_correlation=float(np.min(correlations)),
        median_correlation=float(np.median(correlations)),
    )


def store(sha256: str, precision: Precision, loss: Loss, bound: Bound) -> Path:
    """Write down what was measured, and up to which bound an administrator allows it."""
    path = _path(sha256, precision)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"loss": asdict(loss), "bound": asdict(bound)}, indent=2), encoding="utf-8")
    return path


def allowed(sha256: str, wanted: Precision) -> Precision:
    """Return the precision that may be used for some weights: the wanted one, or float32."""
    if wanted is Precision.FLOAT32:
        return wanted
    refusal = _refusal(sha256, wanted)
    if not refusal:
        return wanted
    log.warning(f"{wanted} is not used, but float32: {refusal}")
    return Precision.FLOAT32


def _refusal(sha256: str, wanted: Precision) -> str:
    """Say why a precision may not be used; empty if it may."""
    try:
        found = json.loads(_path(sha256, wanted).read_text(encoding="utf-8"))
        return Bound(**found["bound"]).broken_by(Loss(**found["loss"]))
    except FileNotFoundError:
        return "its loss was not measured for these weights; 'python -m workers.engines measure' does it"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"what was measured cannot be read ({error})"


def _path(sha256: str, precision: Precision) -> Path:
    return settings.current().data_folder / "precision" / f"{sha256}-{precision}.json"


def _probability(one: Compared, prediction: Prediction, version: ClassifierVersion) -> float:
    """Return a calibrated probability; not a number where there is no prediction."""
    if prediction.logit is None:
        return float("nan")
    for row in version.calibrations:
        if row.body_part == one.body_part:
            return calibrated(prediction.logit, slope=row.slope, intercept=row.intercept)
    return calibrated(prediction.logit)


def _decisions(
    compared: Sequence[Compared], pairs: Sequence[tuple[float, float]], version: ClassifierVersion
) -> list[tuple[Attention, Attention]]:
    """Return the operating points that each study reaches in both precisions."""
    studies: dict[int, list[int]] = {}
    for number, one in enumerate(compared):
        studies.setdefault(one.study_id, []).append(number)
    return [
        _decision([pairs[number] for number in numbers], _thresholds(version, compared[numbers[0]].body_part))
        for numbers in studies.values()
    ]


def _decision(
    pairs: Sequence[tuple[float, float]], thresholds: Mapping[Attention, float]
) -> tuple[Attention, Attention]:
    exact, fast = (attention(study_probability(each), thresholds) for each in zip(*pairs, strict=True))
    return exact, fast


def _thresholds(version: ClassifierVersion, body_part: BodyPart | None) -> dict[Attention, float]:
    return {row.attention: row.threshold for row in version.operating_points if row.body_part == body_part}


def _correlation(exact: NDArray[np.float32] | None, fast: NDArray[np.float32] | None) -> float:
    """Return the correlation of two heat maps; two missing ones agree, one missing does not."""
    if exact is None or fast is None:
        return float(exact is fast)
    if np.array_equal(exact, fast):
        return 1.0  # also where both are flat and have no correlation
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.nan_to_num(np.corrcoef(exact.ravel(), fast.ravel())[0, 1]))
