"""What the demo classifier reaches on patients it has not seen, through the product's own pipeline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.pipeline import Network, predict
from workers.training.demo.evaluate import auc, hits, share
from workers.training.demo.images import draw_pair
from worklist.synthetic import BODY_PARTS, SyntheticRadiograph
from worklist.triage.prediction import Prediction


@dataclass(frozen=True)
class Judged:
    """One image, what was drawn into it, and what came out.

    Parameters
    ----------
    lesion
        Break, dislocation, implant; empty for normal.
    is_hit
        The heat map for abnormal is highest inside the drawn region.
    """

    body_part: str
    lesion: str
    logit: float
    is_hit: bool

    @property
    def is_abnormal(self) -> bool:
        """Say whether a lesion was drawn."""
        return bool(self.lesion)


def judge(seeds: Iterable[int], classifier: Network) -> list[Judged]:
    """Draw patients and take each image through crop, classifier and Grad-CAM.

    Raises
    ------
    RuntimeError
        If an image got no prediction.
    """
    judged: list[Judged] = []
    for seed in seeds:
        pair = draw_pair(seed)
        predictions = predict([radiograph.displayed_greys for radiograph in pair], classifier)
        judged += [_judged(*both) for both in zip(pair, predictions, strict=True)]
    return judged


def _judged(radiograph: SyntheticRadiograph, prediction: Prediction) -> Judged:
    """Compare a prediction with what was drawn."""
    if prediction.logit is None or prediction.crop is None:
        raise RuntimeError(f"seed {radiograph.seed}: {prediction.reason}")
    box = radiograph.lesion_box
    is_hit = box is not None and prediction.logit >= 0 and hits(prediction.heat_map, prediction.crop, box)
    return Judged(radiograph.body_part, radiograph.lesion or "", prediction.logit, is_hit)


@dataclass(frozen=True)
class Figures:
    """AUC, sensitivity and specificity at the flag, and how often the heat map is in place.

    Parameters
    ----------
    hit_share
        Share of the flagged abnormal images whose heat map is highest in the drawn region.
    """

    images: int
    auc: float
    sensitivity: float
    specificity: float
    hit_share: float


def figures(
    judged: Sequence[Judged], probabilities: NDArray[np.float64], thresholds: Sequence[float]
) -> Figures:
    """Summarise images against the threshold of each one."""
    flagged = probabilities >= np.asarray(thresholds)
    abnormal = np.array([item.is_abnormal for item in judged])
    hit = np.array([item.is_hit for item in judged])
    return Figures(
        images=len(judged),
        auc=auc(abnormal.astype(float), probabilities),
        sensitivity=share(flagged[abnormal]),
        specificity=share(~flagged[~abnormal]),
        hit_share=share(hit[abnormal & flagged]),
    )


def by_kind(judged: Sequence[Judged], body_part: str) -> NDArray[np.intp]:
    """Return the indices of the images of one body part, of all for an empty name."""
    return np.flatnonzero([not body_part or item.body_part == body_part for item in judged])


ROWS = ("", *BODY_PARTS)
"""Rows of a table of figures: all images, then each body part."""
