"""What choices are made by while training: kappa and AUC over studies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from worklist.dataset.snapshot import SnapshotImage


@dataclass(frozen=True, order=True)
class StudyFigures:
    """Kappa, and AUC to decide between equal kappas; larger is better.

    Parameters
    ----------
    kappa
        Cohen's kappa of the label and of probability at or above 0.5, -1...1.
    auc
        Area under the ROC curve, 0...1.
    """

    kappa: float
    auc: float

    def as_metrics(self) -> dict[str, float]:
        """Return the figures by the names that events and histories use."""
        return {"study_kappa": self.kappa, "study_auc": self.auc}


def study_figures(images: Sequence[SnapshotImage], logits: NDArray[np.floating]) -> StudyFigures:
    """Measure logits by study: the mean of the probabilities of its views against its label.

    Parameters
    ----------
    images
        Of both labels.
    logits
        Shape (n,), in the order of the images.

    Notes
    -----
    The threshold is 0.5, the rule of the MURA paper. With weighted classes 0.5 is where both errors cost
    the same. A threshold chosen on the very studies that decide when to stop would flatter each epoch by as
    much as chance allows; operating points are chosen later, and once.
    A study with images of two body parts counts as two, as everywhere in this product.

    References
    ----------
    Rajpurkar et al., arXiv 1712.06957, section 3.1.
    """
    views: dict[tuple[str, str], list[int]] = {}
    for number, image in enumerate(images):
        views.setdefault((image.study, image.body_part), []).append(number)
    probabilities = expit(np.asarray(logits, np.float64))
    chances = np.array([probabilities[numbers].mean() for numbers in views.values()])
    labels = np.array([any(images[number].is_abnormal for number in numbers) for numbers in views.values()])
    kappa = cohen_kappa_score(labels, chances >= 0.5)
    return StudyFigures(float(kappa), float(roc_auc_score(labels, chances)))
