"""What the classifier returns for one image: a value, never stored as such."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prediction:
    """The outcome of one pass of one image through crop, classifier and Grad-CAM.

    Attributes
    ----------
    logit : float or None
        Output before the sigmoid, unbounded and not calibrated; None if there is no prediction.
    crop : tuple of int or None
        (top, left, height, width), half-open, in source pixels.
    crop_reason : str
        Why the crop fell back to a larger rectangle; empty if it did not.
    heat_map : ndarray of float32, shape (h, w), or None
        0 to 1 over the crop; None where there is no evidence for the explained class.
    explained_class : str
        ``abnormal`` or ``normal``: the class whose evidence the heat map shows.
    reason : str
        Why there is no prediction, in words; empty if there is one.
    """

    logit: float | None = None
    crop: tuple[int, int, int, int] | None = None
    crop_reason: str = ""
    heat_map: NDArray[np.float32] | None = None
    explained_class: str = ""
    reason: str = ""
