"""Grad-CAM of the predicted class, read off the evidence map of one forward pass.

With global average pooling and one dense unit on the last activation, the gradient of the
logit is the same at every place of a channel: the unit's weight over the number of places.
The weighted sum over channels, which the network returns as `evidence`, is then Grad-CAM
before its ReLU. This module is pure.
"""

import numpy as np
from numpy.typing import NDArray

NO_EVIDENCE = 1e-6
"""Evidence up to this height is none: rescaling it to 1 would show noise as a finding."""


def heat_map(evidence: NDArray[np.float32], logit: float) -> NDArray[np.float32] | None:
    """Return where the predicted class was seen.

    Parameters
    ----------
    evidence
        Signed evidence for abnormal, float32, shape (h, w), unbounded. Its mean plus the bias
        of the last layer is the logit.
    logit
        Decides the class to explain: abnormal from 0 upwards, else normal, whose evidence has
        the other sign.

    Returns
    -------
    ndarray of float32, shape (h, w), or None
        0...1, the highest place is 1; None where nothing speaks for the predicted class.

    Notes
    -----
    It equals the textbook map because mean instead of sum over channels and the number of
    places are factors that the division by the maximum removes. It takes the logit, not the
    probability, whose gradient vanishes on confident images.

    References
    ----------
    Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization, ICCV 2017, equations 1 and 2.
    """
    sign = np.float32(1 if logit >= 0 else -1)
    positive = np.maximum(sign * np.asarray(evidence, np.float32), 0)
    highest = positive.max(initial=0.0)
    if not np.isfinite(highest) or highest <= NO_EVIDENCE:
        return None
    return np.asarray(positive / highest, np.float32)
