"""From logits to a study probability, and what the operating points say of it. Pure."""

import math
from collections.abc import Mapping, Sequence

from worklist.tables.vocabulary import Attention

RULE = "mean of the images"


def calibrated(logit: float, *, slope: float = 1.0, intercept: float = 0.0) -> float:
    """Return the calibrated probability, 0 to 1, of an uncalibrated logit.

    References
    ----------
    Platt, Probabilistic outputs for support vector machines (1999), eq. 2.
    """
    value = slope * logit + intercept
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    return math.exp(value) / (1 + math.exp(value))


def study_probability(probabilities: Sequence[float]) -> float | None:
    """Return the mean of the image probabilities, 0 to 1; None without images.

    References
    ----------
    Rajpurkar et al., MURA (arXiv 1712.06957), section 4: the mean over the views of a study.
    """
    return sum(probabilities) / len(probabilities) if probabilities else None


def attention(probability: float | None, thresholds: Mapping[Attention, float]) -> Attention:
    """Return the strongest operating point whose threshold the probability reaches."""
    if probability is not None:
        for name in (Attention.FLAGGED, Attention.LOOK_CLOSER):
            if name in thresholds and probability >= thresholds[name]:
                return name
    return Attention.NONE
