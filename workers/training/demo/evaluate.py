"""What a classifier is worth: AUC, calibration, operating points, hits of the heat map."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata

Vector = NDArray[np.floating]
Rectangle = tuple[int, int, int, int]


def auc(labels: Vector, logits: Vector) -> float:
    """Return the area under the ROC curve, 0...1; ties count half.

    Parameters
    ----------
    labels
        1 abnormal, 0 normal, shape (n,).

    Raises
    ------
    ValueError
        If one of the two kinds is missing.
    """
    abnormal = np.asarray(labels) == 1
    count, rest = int(abnormal.sum()), int((~abnormal).sum())
    if not count or not rest:
        raise ValueError("the area under the ROC curve needs abnormal and normal images")
    ranks = rankdata(logits)
    return float((ranks[abnormal].sum() - count * (count + 1) / 2) / (count * rest))


@dataclass(frozen=True)
class Calibration:
    """Platt scaling: probability = sigmoid(slope * logit + intercept)."""

    slope: float
    intercept: float

    def probability(self, logits: Vector) -> NDArray[np.float64]:
        """Return calibrated probabilities, 0...1, shape (n,)."""
        return np.asarray(expit(self.slope * np.asarray(logits, np.float64) + self.intercept))


def fit_calibration(
    labels: Vector, logits: Vector, *, toward: Calibration | None = None, pull: float = 0.5
) -> Calibration:
    """Fit Platt scaling.

    Parameters
    ----------
    toward
        Where few images are pulled to: the calibration of all body parts together. None pulls
        to slope 1, intercept 0.
    pull
        Strength of the pull: half of it times the squared distance is added to the loss.

    Notes
    -----
    Labels are softened as Platt does, so that perfectly separated images do not give an
    infinite slope.

    References
    ----------
    Platt, Probabilistic Outputs for Support Vector Machines, 1999, section 2.2.
    """
    toward = toward or Calibration(1.0, 0.0)
    prior = np.array([toward.slope, toward.intercept])
    targets = _softened(np.asarray(labels, np.float64))
    design = np.stack([np.asarray(logits, np.float64), np.ones(len(targets))], 1)

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        linear, away = design @ point, point - prior
        value = np.sum(np.logaddexp(0, linear) - targets * linear) + 0.5 * pull * away @ away
        return float(value), design.T @ (expit(linear) - targets) + pull * away

    point = minimize(loss, prior, jac=True, method="L-BFGS-B").x
    return Calibration(float(max(point[0], 1e-3)), float(point[1]))


def _softened(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Platt's targets: (n1+1)/(n1+2) for abnormal, 1/(n0+2) for normal."""
    count = float(labels.sum())
    return np.asarray(np.where(labels == 1, (count + 1) / (count + 2), 1 / (len(labels) - count + 2)))


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold on the calibrated probability, with what it gave and 95 % Wilson intervals."""

    threshold: float
    sensitivity: float
    sensitivity_low: float
    sensitivity_high: float
    specificity: float
    specificity_low: float
    specificity_high: float

    def figures(self) -> dict[str, float]:
        """Return all numbers by name, for the card."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def operating_point(labels: Vector, probabilities: Vector, threshold: float) -> OperatingPoint:
    """Measure a threshold: flagged is a probability at or above it."""
    is_abnormal, is_flagged = np.asarray(labels) == 1, np.asarray(probabilities, np.float64) >= threshold
    sensitivity = int((is_flagged & is_abnormal).sum()), int(is_abnormal.sum())
    specificity = int((~is_flagged & ~is_abnormal).sum()), int((~is_abnormal).sum())
    low, high = wilson(*sensitivity)
    low_specificity, high_specificity = wilson(*specificity)
    return OperatingPoint(
        threshold,
        sensitivity[0] / max(sensitivity[1], 1),
        low,
        high,
        specificity[0] / max(specificity[1], 1),
        low_specificity,
        high_specificity,
    )


def wilson(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Return the Wilson interval of a share, (0, 1) if nothing was counted.

    References
    ----------
    Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927.
    """
    if count == 0:
        return 0.0, 1.0
    share, square = hits / count, z**2 / count
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * np.sqrt(share * (1 - share) / count + square / (4 * count))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def best_threshold(labels: Vector, probabilities: Vector) -> float:
    """Return the threshold with the largest sensitivity + specificity, midway between two images."""
    values = np.unique(np.asarray(probabilities, np.float64))
    middles = (values[1:] + values[:-1]) / 2
    sums = [
        (point := operating_point(labels, probabilities, float(t))).sensitivity + point.specificity
        for t in middles
    ]
    return float(middles[int(np.argmax(sums))]) if len(middles) else 0.5


def sensitive_threshold(labels: Vector, probabilities: Vector, sensitivity: float) -> float:
    """Return the highest threshold that still flags this share of the abnormal images."""
    abnormal = np.sort(np.asarray(probabilities)[np.asarray(labels) == 1])
    return float(abnormal[int(np.floor((1 - sensitivity) * len(abnormal)))])


def hits(heat_map: NDArray[np.float32] | None, crop: Rectangle, box: Rectangle) -> bool:
    """Say whether the highest place of a heat map lies in a box.

    Parameters
    ----------
    heat_map
        float32, shape (h, w), over the crop; None misses.
    crop, box
        Rectangles in the same pixels.

    Notes
    -----
    The map is enlarged as the viewer shows it: cubic, cell centres at half pixels.
    """
    if heat_map is None:
        return False
    row, column = highest_place(heat_map, crop)
    top, left, height, width = box
    return top <= row < top + height and left <= column < left + width


def highest_place(heat_map: NDArray[np.float32], crop: Rectangle) -> tuple[float, float]:
    """Return row and column of the highest place of a map in the pixels of its crop."""
    side = 256
    large = cv2.resize(heat_map, (side, side), interpolation=cv2.INTER_CUBIC)
    row, column = np.unravel_index(int(np.argmax(large)), large.shape)
    top, left, height, width = crop
    return top + (row + 0.5) * height / side, left + (column + 0.5) * width / side


def share(values: Sequence[bool] | NDArray[np.bool_]) -> float:
    """Return the share of true values, 0...1; not a number of none."""
    return float(np.mean(values)) if len(values) else float("nan")
