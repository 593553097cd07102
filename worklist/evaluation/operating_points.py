"""The two thresholds of each body part: chosen on studies to tune with, measured on others."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from worklist.evaluation import agreement
from worklist.evaluation.cases import Case, Labels, Probabilities, labels_of, probabilities_of
from worklist.tables import Attention, BodyPart

LOOK_CLOSER_SENSITIVITY = 0.95
FEWEST = 25
"""Studies of each label that a body part needs for thresholds of its own; with fewer it has those of all."""
_CLOSEST = 1e-4
_PLACES = 512

Thresholds = Mapping[Attention, float]


def choose(
    cases: Sequence[Case], flagged_so_far: Collection[str] = frozenset()
) -> dict[BodyPart, dict[Attention, float]]:
    """Choose the thresholds of every body part.

    Parameters
    ----------
    cases
        Studies to tune with, of both labels, with calibrated probabilities.
    flagged_so_far
        The keys of those that the version in charge flags; empty if there is none.

    Notes
    -----
    *Flagged* is where sensitivity and specificity have the largest sum (Youden, Index for rating diagnostic
    tests, Cancer 1950), estimated with normal kernels (Fluss, Faraggi and Reiser, Estimation of the Youden
    index and its associated cutoff point, Biometrical Journal 2005); or lower, where fewer of the abnormal
    studies would be flagged than by the version in charge: readers rely on what it finds, and what a better
    version gains is fewer false flags. *Look closer* is the highest threshold that still takes
    `LOOK_CLOSER_SENSITIVITY` of the abnormal studies, and never above the other.
    """
    everything = _thresholds(cases, flagged_so_far)
    chosen = {}
    for part in BodyPart:
        own = [case for case in cases if case.body_part is part]
        abnormal = sum(case.is_abnormal for case in own)
        is_enough = min(abnormal, len(own) - abnormal) >= FEWEST
        chosen[part] = _thresholds(own, flagged_so_far) if is_enough else everything
    return chosen


def measure(cases: Sequence[Case], chosen: Mapping[BodyPart, Thresholds]) -> dict[str, Any]:
    """Return the thresholds with sensitivity and specificity on other studies, as a card holds them.

    A body part without abnormal, or without normal studies has no figure for them.
    """
    return {
        part.value: {
            name.value: _measured([case for case in cases if case.body_part is part], threshold)
            for name, threshold in thresholds.items()
        }
        for part, thresholds in chosen.items()
    }


def _thresholds(cases: Sequence[Case], flagged_so_far: Collection[str]) -> dict[Attention, float]:
    labels, probabilities = labels_of(cases), probabilities_of(cases)
    so_far = sum(case.is_abnormal and case.key in flagged_so_far for case in cases)
    # Of one more than there are: of a few studies, all are no proof that none is ever missed.
    flagged = _flagged(labels, probabilities, so_far / (int(labels.sum()) + 1))
    abnormal = np.sort(probabilities[labels])
    sensitive = float(abnormal[int((1 - LOOK_CLOSER_SENSITIVITY) * len(abnormal))])
    return {Attention.FLAGGED: flagged, Attention.LOOK_CLOSER: min(flagged, _rounded_down(sensitive))}


def _flagged(labels: Labels, probabilities: Probabilities, sensitivity: float) -> float:
    """Return the threshold with the largest sum of both shares, each smoothed on the logit of the probability.

    Of those, that is, which take at least ``sensitivity`` of the abnormal studies, smoothed as well.

    As it stands in few studies, the largest sum is a matter of luck: on 25 studies of either label the
    threshold that is found without smoothing loses about twice as much (a test holds that).
    """
    values = logit(np.clip(probabilities, _CLOSEST, 1 - _CLOSEST))
    places = np.linspace(values.min(), values.max(), _PLACES)
    taken = _share_above(values[labels], places)
    gain = taken - _share_above(values[~labels], places)
    allowed = int(np.count_nonzero(taken >= sensitivity))  # the shares fall from place to place
    return _rounded_down(float(expit(places[int(np.argmax(gain[: max(allowed, 1)]))])))


def _share_above(values: Probabilities, places: Probabilities) -> Probabilities:
    """Return the smoothed share of values above each place; the width is Silverman's (1986, eq. 3.31)."""
    quarter, three_quarters = np.percentile(values, [25, 75])
    spreads = [spread for spread in (values.std(), (three_quarters - quarter) / 1.34) if spread > 0]
    width = 0.9 * min(spreads, default=1.0) * len(values) ** -0.2
    return np.asarray(norm.cdf((values[None] - places[:, None]) / width).mean(axis=1))


def _rounded_down(threshold: float) -> float:
    return float(np.floor(threshold * 1e4) / 1e4)


def _measured(cases: Sequence[Case], threshold: float) -> dict[str, float | None]:
    labels = labels_of(cases)
    flags = probabilities_of(cases) >= threshold
    found: dict[str, float | None] = {"threshold": threshold}
    for name, measure_of in (("sensitivity", agreement.sensitivity), ("specificity", agreement.specificity)):
        interval = measure_of(labels, flags)
        figures = interval.as_json() if interval else dict.fromkeys(("value", "low", "high"))
        found |= {name: figures["value"], f"{name}_low": figures["low"], f"{name}_high": figures["high"]}
    return found
