"""Platt scaling of each body part, and how true probabilities are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from worklist.dataset.snapshot import SnapshotImage
from worklist.evaluation.cases import AS_IT_IS, Case, Line, by_study, labels_of, probabilities_of
from worklist.evaluation.interval import share
from worklist.tables import BodyPart

FEWEST = 10
"""Studies of each label that a body part needs for a line of its own; with fewer it has that of all parts."""

BINS = 10
_CLOSEST = 1e-6


def fit(images: Sequence[SnapshotImage], logits: Mapping[str, float]) -> dict[BodyPart, Line]:
    """Fit the calibration of every body part to studies that weights were not fitted to.

    Parameters
    ----------
    images
        To tune with, of both labels; those without a logit are left out.

    Notes
    -----
    What is fitted is the probability that the page shows, the mean over the views of a study. First one line
    for all body parts, held by a wide prior around slope 1 and intercept 0, so that studies that are parted
    without error do not give an infinite slope. Then one for each body part, held by a prior around that line
    whose deviation is 0.5 in the logarithm of the slope and in the intercept: the most probable lines of a
    hierarchical model with known deviations (partial pooling). A part with hundreds of studies has its own
    line, one with thirty a compromise.

    References
    ----------
    Platt, Probabilistic outputs for support vector machines, 1999, eq. 2; Gelman and Hill, Data Analysis Using
    Regression and Multilevel/Hierarchical Models, 2007, section 12.2.
    """
    studies = by_study(images, logits)
    everything = _fit(list(studies.values()), logits, AS_IT_IS, deviation=2.0)
    lines = {}
    for part in BodyPart:
        views = [views for (_, one), views in studies.items() if one is part]
        abnormal = sum(view[0].is_abnormal for view in views)
        is_enough = min(abnormal, len(views) - abnormal) >= FEWEST
        lines[part] = _fit(views, logits, everything, deviation=0.5) if is_enough else everything
    return lines


def _fit(
    studies: Sequence[Sequence[SnapshotImage]], logits: Mapping[str, float], around: Line, *, deviation: float
) -> Line:
    """Return the most probable line under a normal prior on the logarithm of the slope and on the intercept."""
    of_study = np.repeat(np.arange(len(studies)), [len(views) for views in studies])
    values = np.array([logits[view.name] for views in studies for view in views])
    labels = np.array([views[0].is_abnormal for views in studies], bool)
    centre = np.array([np.log(around.slope), around.intercept])

    def loss(point: NDArray[np.float64]) -> float:
        images = expit(np.exp(point[0]) * values + point[1])
        chance = np.bincount(of_study, images) / np.bincount(of_study)
        chance = np.clip(np.where(labels, chance, 1 - chance), _CLOSEST, None)
        return float(-np.log(chance).sum() + 0.5 * np.square((point - centre) / deviation).sum())

    found = minimize(loss, centre, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-6}).x
    return Line(float(np.exp(found[0])), float(found[1]))


def figures(cases: Sequence[Case]) -> dict[str, Any]:
    """Say how true probabilities are, as a card holds it.

    Returns
    -------
    dict
        `slope` and `intercept` of the logistic regression of the label on the logit of the probability: 1 and 0
        if all is well, a slope below 1 if probabilities are too extreme; None with one label only. `ece`: mean
        distance of probability and share of abnormal cases over `BINS` bins of equal width. `brier`: mean
        square distance of probability and label. `bins`: of each bin with cases the mean probability, the share
        of abnormal ones with its interval, and the count.

    References
    ----------
    Cox, Two further applications of a model for binary regression, Biometrika 1958; Naeini et al., Obtaining
    well calibrated probabilities using Bayesian binning, AAAI 2015; Brier, Monthly Weather Review 1950.
    """
    labels, probabilities = labels_of(cases), probabilities_of(cases)
    bins = _bins(labels, probabilities)
    distance = sum(one["count"] * abs(one["probability"] - one["share"]["value"]) for one in bins)
    line = _regression(labels, probabilities)
    return {
        "slope": line and round(line.slope, 4),
        "intercept": line and round(line.intercept, 4),
        "ece": round(distance / len(cases), 4) if cases else None,
        "brier": round(float(np.square(probabilities - labels).mean()), 4) if cases else None,
        "bins": bins,
    }


def _regression(labels: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> Line | None:
    if len(set(labels.tolist())) < 2:
        return None
    values = logit(np.clip(probabilities, _CLOSEST, 1 - _CLOSEST))

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        linear = point[0] * values + point[1]
        rest = expit(linear) - labels
        value = float((np.logaddexp(0, linear) - labels * linear).sum())
        return value, np.array([rest @ values, rest.sum()])

    # Cases that are parted without error have an infinite slope; a hundred says the same.
    found = minimize(loss, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=[(-100, 100), (-100, 100)]).x
    return Line(float(found[0]), float(found[1]))


def _bins(labels: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> list[dict[str, Any]]:
    number = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    found = []
    for one in range(BINS):
        chosen = number == one
        interval = share(int(labels[chosen].sum()), int(chosen.sum()))
        if interval is not None:
            mean = round(float(probabilities[chosen].mean()), 4)
            found.append({"probability": mean, "share": interval.as_json(), "count": int(chosen.sum())})
    return found
