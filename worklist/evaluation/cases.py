"""Images and studies with their label and what a version says of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from worklist.dataset.snapshot import SnapshotImage
from worklist.tables import BodyPart
from worklist.triage.probability import calibrated, study_probability

Labels = NDArray[np.bool_]
Probabilities = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """Platt scaling: probability = sigmoid(slope * logit + intercept); slope is above 0."""

    slope: float = 1.0
    intercept: float = 0.0


Lines = Mapping[BodyPart, Line]
AS_IT_IS = Line()


@dataclass(frozen=True, slots=True)
class Case:
    """An image, or the images of one body part in one study.

    Parameters
    ----------
    patient
        A digest, by which cases that belong together are found.
    probability
        Calibrated, 0...1; of a study the mean of its images.
    """

    key: str
    body_part: BodyPart
    patient: str
    is_abnormal: bool
    probability: float


def image_cases(images: Iterable[SnapshotImage], logits: Mapping[str, float], lines: Lines) -> list[Case]:
    """Return a case for each image that has a logit; a body part without a line stays as it is."""
    return [
        Case(image.name, image.body_part, image.patient, image.is_abnormal, _probability(image, logits, lines))
        for image in images
        if image.name in logits
    ]


def study_cases(images: Iterable[SnapshotImage], logits: Mapping[str, float], lines: Lines) -> list[Case]:
    """Return a case for each study and body part, as the list of studies ranks them."""
    return [
        Case(
            f"{study}/{part}",
            part,
            views[0].patient,
            any(view.is_abnormal for view in views),
            study_probability([_probability(view, logits, lines) for view in views]) or 0.0,
        )
        for (study, part), views in by_study(images, logits).items()
    ]


def by_study(
    images: Iterable[SnapshotImage], logits: Mapping[str, float]
) -> dict[tuple[str, BodyPart], list[SnapshotImage]]:
    """Return the images that have a logit by study and body part, sorted."""
    known = sorted((image for image in images if image.name in logits), key=_study)
    return {key: list(views) for key, views in groupby(known, key=_study)}


def labels_of(cases: Sequence[Case]) -> Labels:
    """Return the labels, shape (n,)."""
    return np.array([case.is_abnormal for case in cases], bool)


def probabilities_of(cases: Sequence[Case]) -> Probabilities:
    """Return the probabilities, shape (n,)."""
    return np.array([case.probability for case in cases], np.float64)


def _study(image: SnapshotImage) -> tuple[str, BodyPart]:
    return image.study, image.body_part


def _probability(image: SnapshotImage, logits: Mapping[str, float], lines: Lines) -> float:
    line = lines.get(image.body_part, AS_IT_IS)
    return calibrated(logits[image.name], slope=line.slope, intercept=line.intercept)
