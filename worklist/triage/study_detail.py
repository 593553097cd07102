"""Everything the study page shows of one study: facts, images with their results, thresholds, rank."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.uid import UID
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from worklist.errors import NotFound
from worklist.tables import (
    Attention,
    BodyPart,
    ClassifierState,
    ClassifierVersion,
    ClinicalPriority,
    Instance,
    OperatingPoint,
    ReadingState,
    Result,
    Series,
    Study,
    Turn,
)
from worklist.triage.held_back import doubted_count, held_back_count, warning_with
from worklist.triage.image_detail import View, analyses, view
from worklist.triage.policy import current_policy
from worklist.triage.ranking import overtaking_bound, reason
from worklist.triage.side import contradiction


@dataclass(frozen=True)
class OtherObject:
    """An object of the study that is kept and not shown."""

    kind: str
    reason: str


@dataclass(frozen=True)
class Threshold:
    """An operating point of the body part, as the page names it."""

    attention: Attention
    value: float
    sensitivity: float | None
    specificity: float | None


@dataclass(frozen=True)
class StudyDetail:
    """One study as its page shows it."""

    study_id: int
    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    accession_number: str
    study_date: str
    description: str
    body_part: BodyPart | None
    clinical_priority: ClinicalPriority
    received_at: datetime
    is_complete: bool
    warning: str
    content_version: int
    result_version: int
    result: Result
    result_reason: str
    study_probability: float | None
    probability_rule: str
    attention: Attention
    is_demo_score: bool
    reading_state: ReadingState
    turn: Turn
    is_control: bool
    has_control_arm: bool
    read_at: datetime | None
    rank_reason: str
    cannot_be_passed_after: datetime
    thresholds: tuple[Threshold, ...]
    views: tuple[View, ...]
    others: tuple[OtherObject, ...]
    side_warning: str


def study_detail(session: Session, study_id: int) -> StudyDetail:
    """Collect one study.

    Raises
    ------
    NotFound
        If there is none with this id.
    """
    found = session.execute(
        select(Study, held_back_count(), doubted_count()).where(Study.id == study_id)
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such study.")
    study, held_back, doubted = found
    instances = _current_instances(session, study_id)
    images = [instance for instance in instances if instance.rows is not None]
    judged = analyses(session, [image.id for image in images])
    policy = current_policy(session)
    return StudyDetail(
        study_id=study.id,
        patient_name=study.patient_name,
        patient_id=study.patient_id,
        birth_date=study.birth_date,
        sex=study.sex,
        accession_number=study.accession_number,
        study_date=study.study_date,
        description=study.description,
        body_part=study.body_part,
        clinical_priority=study.clinical_priority,
        received_at=study.received_at,
        is_complete=study.is_complete,
        warning=warning_with(held_back, doubted, study.warning),
        content_version=study.content_version,
        result_version=study.result_version,
        result=study.result,
        result_reason=study.result_reason,
        study_probability=study.study_probability,
        probability_rule=study.probability_rule,
        attention=study.attention,
        is_demo_score=study.is_demo_score,
        reading_state=study.reading_state,
        read_at=study.read_at,
        rank_reason=reason(
            study.study_probability, study.clinical_priority, policy=policy.of_arm(is_control=study.is_control)
        ),
        turn=study.turn,
        is_control=study.is_control,
        has_control_arm=policy.has_control_arm,
        cannot_be_passed_after=overtaking_bound(study.rank_key, policy),
        thresholds=_thresholds(session, study.body_part),
        views=tuple(view(image, judged.get(image.id), n) for n, image in enumerate(images, start=1)),
        others=tuple(_other(instance) for instance in instances if instance.rows is None),
        side_warning=contradiction(study.description, [image.laterality for image in images]),
    )


def image_ids(session: Session, study_id: int) -> list[int]:
    """Return the images of a study in the order of its page, to load them ahead."""
    return [instance.id for instance in _current_instances(session, study_id) if instance.rows is not None]


def _current_instances(session: Session, study_id: int) -> Sequence[Instance]:
    return session.scalars(
        select(Instance)
        .join(Instance.series)
        .where(Series.study_id == study_id, Instance.is_current)
        .order_by(Series.series_number, Series.id, Instance.instance_number, Instance.id)
    ).all()


def _thresholds(session: Session, body_part: BodyPart | None) -> tuple[Threshold, ...]:
    columns = (
        OperatingPoint.attention,
        OperatingPoint.threshold,
        OperatingPoint.sensitivity,
        OperatingPoint.specificity,
    )
    rows: Sequence[Row[Attention, float, float | None, float | None]] = session.execute(
        select(*columns)
        .join(ClassifierVersion, ClassifierVersion.id == OperatingPoint.classifier_version_id)
        .where(ClassifierVersion.state == ClassifierState.CHAMPION, OperatingPoint.body_part == body_part)
        .order_by(OperatingPoint.threshold.desc())
    ).all()
    return tuple(Threshold(*row) for row in rows)


def _other(instance: Instance) -> OtherObject:
    return OtherObject(
        kind=UID(instance.sop_class_uid).name,
        reason=instance.no_analysis_reason or "It has no image that can be shown.",
    )
