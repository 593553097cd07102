"""All that a card says of a version: calibration, operating points, figures by body part."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from worklist.dataset.snapshot import Role, SnapshotImage
from worklist.evaluation import agreement, calibration, operating_points, roc
from worklist.evaluation.cases import Case, image_cases, labels_of, probabilities_of, study_cases
from worklist.evaluation.interval import Interval
from worklist.evaluation.operating_points import Thresholds
from worklist.tables import Attention, BodyPart

ALL = "ALL"
"""The name of all body parts together."""


def measure(
    images: Sequence[SnapshotImage], logits: Mapping[str, float], flagged_so_far: Collection[str] = frozenset()
) -> dict[str, Any]:
    """Calibrate, choose operating points, and measure.

    Parameters
    ----------
    images
        To tune with, of both labels: calibration and operating points are fitted to them. To test with: every
        figure is measured on them. Others are left out.
    logits
        By name of the image.
    flagged_so_far
        The studies to tune with that the version in charge flags (`comparison.flagged`).

    Returns
    -------
    dict
        `calibration` and `operating_points` by body part, as the registry reads them, and `evaluation`:
        `studies` and `images`, each by `ALL` and by body part, each with `n`, `abnormal`, `auc`, `sensitivity`,
        `specificity`, `accuracy` and `kappa` (`value`, `low`, `high`; None where it does not exist), `roc`, and
        `calibration` `before` and `after`. Sensitivity, specificity, accuracy and kappa are those of *flagged*.
    """
    tune = [image for image in images if image.role is Role.TUNE]
    test = [image for image in images if image.role is Role.TEST]
    lines = calibration.fit(tune, logits)
    chosen = operating_points.choose(study_cases(tune, logits, lines), flagged_so_far)
    studies, raw_studies = study_cases(test, logits, lines), study_cases(test, logits, {})
    views, raw_views = image_cases(test, logits, lines), image_cases(test, logits, {})
    return {
        "calibration": {
            part.value: {"slope": line.slope, "intercept": line.intercept} for part, line in lines.items()
        },
        "operating_points": operating_points.measure(studies, chosen),
        "evaluation": {
            "studies": _by_part(studies, raw_studies, chosen),
            "images": _by_part(views, raw_views, chosen),
        },
    }


def flags_of(cases: Sequence[Case], chosen: Mapping[BodyPart, Thresholds]) -> agreement.Flags:
    """Return which cases are flagged, shape (n,)."""
    return np.array([case.probability >= chosen[case.body_part][Attention.FLAGGED] for case in cases], bool)


def _by_part(
    cases: Sequence[Case], raw: Sequence[Case], chosen: Mapping[BodyPart, Thresholds]
) -> dict[str, Any]:
    found = {ALL: _figures(cases, raw, chosen)}
    for part in BodyPart:
        if own := _of(part, cases):
            found[part.value] = _figures(own, _of(part, raw), chosen)
    return found


def _of(part: BodyPart, cases: Iterable[Case]) -> list[Case]:
    return [case for case in cases if case.body_part is part]


def _figures(
    cases: Sequence[Case], raw: Sequence[Case], chosen: Mapping[BodyPart, Thresholds]
) -> dict[str, Any]:
    labels, probabilities = labels_of(cases), probabilities_of(cases)
    flags = flags_of(cases, chosen)
    return {
        "n": len(cases),
        "abnormal": int(labels.sum()),
        "auc": _json(roc.auc(labels, probabilities)),
        "sensitivity": _json(agreement.sensitivity(labels, flags)),
        "specificity": _json(agreement.specificity(labels, flags)),
        "accuracy": _json(agreement.accuracy(labels, flags)),
        "kappa": _json(agreement.kappa(labels, flags, [case.patient for case in cases])),
        "roc": roc.curve(labels, probabilities),
        "calibration": {"before": calibration.figures(raw), "after": calibration.figures(cases)},
    }


def _json(interval: Interval | None) -> dict[str, float] | None:
    return interval.as_json() if interval else None
