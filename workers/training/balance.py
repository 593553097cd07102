"""Class weights by body part, so that a part with few abnormal images is not judged normal for that alone."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from worklist.dataset.snapshot import SnapshotImage
from worklist.tables import BodyPart


def class_weights(images: Sequence[SnapshotImage]) -> dict[tuple[BodyPart, bool], float]:
    """Return the weight of each label within each body part.

    Returns
    -------
    dict
        By body part and `is_abnormal`: abnormal images weigh the share of normal ones in their part, normal
        images the share of abnormal ones; both 0.5 where they are balanced.

    Notes
    -----
    A part whose images all have one label weighs nothing. It could teach nothing but that the part as such is
    normal, or abnormal.

    References
    ----------
    Rajpurkar et al., arXiv 1712.06957, section 3.1: w(T,1) = N_T / (A_T + N_T), w(T,0) = A_T / (A_T + N_T).
    """
    counts = Counter((image.body_part, image.is_abnormal) for image in images)
    return {
        (part, is_abnormal): counts[part, not is_abnormal] / (counts[part, True] + counts[part, False])
        for part, is_abnormal in counts
    }


def weights_of(images: Sequence[SnapshotImage], *, is_balanced: bool) -> NDArray[np.float32]:
    """Return the weight of each image in the loss, float32, shape (n,); all 0.5 if not balanced."""
    if not is_balanced:
        return np.full(len(images), 0.5, np.float32)
    weights = class_weights(images)
    return np.array([weights[image.body_part, image.is_abnormal] for image in images], np.float32)
