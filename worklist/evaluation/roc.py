"""ROC curve, the area under it, and the difference of two areas on the same cases."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from sklearn.metrics import roc_curve

from worklist.evaluation.cases import Labels, Probabilities
from worklist.evaluation.interval import CONFIDENCE, Interval

MOST_POINTS = 60
_Z = float(norm.ppf(0.5 + CONFIDENCE / 2))


def auc(labels: Labels, probabilities: Probabilities) -> Interval | None:
    """Return the area under the ROC curve with DeLong's interval; None unless both labels are there.

    Parameters
    ----------
    labels, probabilities
        Shape (n,).

    References
    ----------
    DeLong et al., Comparing the areas under two or more correlated ROC curves, Biometrics 1988; in the fast
    form of Sun and Xu, IEEE Signal Processing Letters 2014.
    """
    if not _has_both(labels):
        return None
    areas, covariance = _areas(labels, probabilities[None])
    half = _Z * math.sqrt(covariance[0, 0])
    return Interval(float(areas[0]), max(0.0, float(areas[0]) - half), min(1.0, float(areas[0]) + half))


@dataclass(frozen=True, slots=True)
class Difference:
    """How much larger one area is than the other, on the same cases.

    Parameters
    ----------
    first, second
        The two areas, 0...1.
    by
        First less second, with its interval.
    """

    first: float
    second: float
    by: Interval


def difference(labels: Labels, first: Probabilities, second: Probabilities) -> Difference | None:
    """Return the difference of two areas with DeLong's interval; None unless both labels are there.

    Parameters
    ----------
    first, second
        Probabilities of the same cases, shape (n,).
    """
    if not _has_both(labels):
        return None
    areas, covariance = _areas(labels, np.stack([first, second]))
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    half = _Z * math.sqrt(max(variance, 0.0))
    value = float(areas[0] - areas[1])
    return Difference(float(areas[0]), float(areas[1]), Interval(value, value - half, value + half))


def curve(labels: Labels, probabilities: Probabilities) -> list[list[float]]:
    """Return points of the ROC curve, 1 - specificity and sensitivity, `MOST_POINTS` at most."""
    if not _has_both(labels):
        return []
    false_alarms, hits, _ = roc_curve(labels, probabilities)
    if len(hits) > MOST_POINTS:
        chosen = np.unique(np.linspace(0, len(hits) - 1, MOST_POINTS).astype(int))
        false_alarms, hits = false_alarms[chosen], hits[chosen]
    return [[round(float(x), 4), round(float(y), 4)] for x, y in zip(false_alarms, hits, strict=True)]


def _has_both(labels: Labels) -> bool:
    """Say whether there are two cases of each label, the fewest that have a variance."""
    return 2 <= int(labels.sum()) <= len(labels) - 2


def _areas(
    labels: Labels, probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the areas (k,) of k versions and their covariance (k, k), from probabilities (k, n)."""
    abnormal, normal = probabilities[:, labels], probabilities[:, ~labels]
    m, n = abnormal.shape[1], normal.shape[1]
    among_all = rankdata(np.concatenate([abnormal, normal], axis=1), axis=1)
    of_abnormal = (among_all[:, :m] - rankdata(abnormal, axis=1)) / n
    of_normal = 1 - (among_all[:, m:] - rankdata(normal, axis=1)) / m
    covariance = np.atleast_2d(np.cov(of_abnormal)) / m + np.atleast_2d(np.cov(of_normal)) / n
    return of_abnormal.mean(axis=1), covariance
