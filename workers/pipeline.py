"""The path of an image through the classifier: crop, classify, explain.

All images of a study, or of several studies, pass the network as one batch,
since a batch costs less per image than each image alone.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.crop import PREPROCESSING_VERSION, Greys
from workers.gradcam import heat_map
from workers.square import Prepared, over_crop, prepare
from worklist.triage.prediction import Prediction

__all__ = ["PREPROCESSING_VERSION", "Network", "Prepared", "predict", "prepare"]


class Network(Protocol):
    """What the pipeline needs of a classifier."""

    @property
    def input_size_px(self) -> int:
        """Side of the square that the network takes."""

    def predict(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give logits (n,) and signed evidence (n, h, w) for greys (n, size, size), 0…1."""


def predict(images: Sequence[Greys], classifier: Network) -> list[Prediction]:
    """Judge images in one pass, in their order; one that cannot be judged says why.

    Parameters
    ----------
    images
        Displayed greys with the default window applied (rows, columns), float32
        0…1, as ``worklist.dicom.pixels.classifier_greys`` gives them.
    classifier
        The network with its weights.

    Returns
    -------
    list of Prediction
        One for each image. An image that cannot be prepared, or whose logit is
        not a finite number, has a reason and leaves the others untouched.
    """
    prepared = [_prepare_or_reason(greys, classifier.input_size_px) for greys in images]
    ready = [item for item in prepared if isinstance(item, Prepared)]
    if not ready:
        return [Prediction(reason=item) for item in prepared if isinstance(item, str)]
    logits, evidence = classifier.predict(np.stack([item.square for item in ready]))
    judged = iter(zip(ready, logits, evidence, strict=True))
    return [
        Prediction(reason=item) if isinstance(item, str) else _explained(*next(judged)) for item in prepared
    ]


def _prepare_or_reason(greys: Greys, size: int) -> Prepared | str:
    """Prepare one image, or say in words why that is impossible."""
    try:
        return prepare(greys, size)
    except (ValueError, cv2.error) as error:
        return f"the image cannot be prepared: {error}"


def _explained(prepared: Prepared, logit: np.float32, evidence: NDArray[np.float32]) -> Prediction:
    """Turn one logit with its evidence over the square into a prediction over the crop."""
    if not math.isfinite(logit):
        return Prediction(reason="the classifier gave no finite number")
    explanation = heat_map(over_crop(evidence, prepared), float(logit))
    top_class = "abnormal" if logit >= 0 else "normal"
    return Prediction(
        logit=float(logit),
        crop=prepared.crop.rectangle,
        crop_reason=prepared.crop.reason,
        heat_map=explanation,
        explained_class="" if explanation is None else top_class,
    )
