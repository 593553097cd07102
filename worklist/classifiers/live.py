"""A candidate in shadow against the version in charge, on studies that both judged and readers have read."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased

from worklist.classifiers.labels import StudyLabel, study_labels
from worklist.evaluation.comparison import PairedCase
from worklist.tables import (
    Analysis,
    Attention,
    BodyPart,
    ClassifierVersion,
    Instance,
    OperatingPoint,
    Series,
    Study,
)
from worklist.triage.probability import attention, study_probability

_AT_ONCE = 500

Thresholds = dict[BodyPart, dict[Attention, float]]


def shadow_pairs(
    session: Session, candidate: ClassifierVersion, champion: ClassifierVersion
) -> list[PairedCase]:
    """Pair what two versions say of the studies that were received and read since the candidate is in shadow.

    Patients who were here before are left out: the candidate may have learnt from their earlier studies. So is
    a study of which either version has not judged every image that the other has.
    """
    labels = {label.study_id: label for label in study_labels(session) if label.is_abnormal is not None}
    thresholds = {version.id: _thresholds(session, version) for version in (candidate, champion)}
    found = []
    for study_id, rows in _judged(session, list(labels), candidate, champion):
        ours, theirs = (
            {row.instance_id: row.probability for row in rows if row.classifier_version_id == version.id}
            for version in (candidate, champion)
        )
        if ours.keys() != theirs.keys():
            continue
        found.append(
            _pair(
                labels[study_id],
                (list(ours.values()), thresholds[candidate.id]),
                (list(theirs.values()), thresholds[champion.id]),
            )
        )
    return found


def _pair(
    label: StudyLabel, ours: tuple[Sequence[float], Thresholds], theirs: tuple[Sequence[float], Thresholds]
) -> PairedCase:
    (our, we_flag), (their, they_flag) = (
        _verdict(label.body_part, probabilities, thresholds) for probabilities, thresholds in (ours, theirs)
    )
    return PairedCase(label.body_part, bool(label.is_abnormal), our, we_flag, their, they_flag)


def _verdict(part: BodyPart, probabilities: Sequence[float], thresholds: Thresholds) -> tuple[float, bool]:
    probability = study_probability(probabilities) or 0.0
    return probability, attention(probability, thresholds.get(part, {})) is Attention.FLAGGED


def _judged(
    session: Session, study_ids: Sequence[int], candidate: ClassifierVersion, champion: ClassifierVersion
) -> Iterable[tuple[int, list[Any]]]:
    """Yield the analyses of either version by study."""
    for at in range(0, len(study_ids), _AT_ONCE):
        by_study: dict[int, list[Any]] = defaultdict(list)
        rows = session.execute(
            select(Series.study_id, Analysis.instance_id, Analysis.classifier_version_id, Analysis.probability)
            .join(Instance, Instance.id == Analysis.instance_id)
            .join(Series, Series.id == Instance.series_id)
            .join(Study, Study.id == Series.study_id)
            .where(
                Study.id.in_(study_ids[at : at + _AT_ONCE]),
                Study.received_at >= candidate.shadow_since,
                Instance.is_current,
                Analysis.classifier_version_id.in_([candidate.id, champion.id]),
                Analysis.probability.is_not(None),
                ~_was_here_before(candidate),
            )
            .order_by(Series.study_id, Analysis.instance_id)
        )
        for row in rows:
            by_study[row.study_id].append(row)
        yield from by_study.items()


def _was_here_before(candidate: ClassifierVersion) -> ColumnElement[bool]:
    earlier = aliased(Study)
    return exists().where(
        earlier.patient_id == Study.patient_id,
        # Without a patient ID nobody can tell; the study counts for itself.
        func.length(Study.patient_id) > 0,
        earlier.received_at < candidate.shadow_since,
    )


def _thresholds(session: Session, version: ClassifierVersion) -> Thresholds:
    found: Thresholds = defaultdict(dict)
    points = session.scalars(select(OperatingPoint).where(OperatingPoint.classifier_version_id == version.id))
    for point in points:
        found[point.body_part][point.attention] = point.threshold
    return found
