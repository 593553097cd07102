"""Bring a study's probability, flag and rank up to date with the analyses of its images."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from worklist import audit
from worklist.tables import (
    Analysis,
    Attention,
    BodyPart,
    ClassifierState,
    ClassifierVersion,
    Instance,
    OperatingPoint,
    Result,
    Series,
    Study,
)
from worklist.triage.image_detail import analyses
from worklist.triage.policy import current_policy
from worklist.triage.probability import RULE, attention, study_probability
from worklist.triage.ranking import rank_key

WHO = "worker"


@dataclass(frozen=True)
class _Judgement:
    """What the analyses of a study's images say together."""

    result: Result
    reason: str
    probabilities: tuple[float, ...]


def refresh_study(session: Session, study_id: int) -> None:
    """Recompute a study's probability, flag and rank from the analyses of its current images."""
    study = session.get_one(Study, study_id, populate_existing=True)
    images = _images(session, study_id)
    versions = _versions(session, images)
    judgement = _judge(images)
    study.result = judgement.result
    study.result_reason = judgement.reason
    study.result_version += 1
    study.study_probability = study_probability(judgement.probabilities)
    study.probability_rule = RULE
    study.is_demo_score = any(version.is_demo for version in versions)
    study.scored_by_id = versions[-1].id if versions else None
    thresholds = _thresholds(session, versions[-1], study.body_part) if versions else {}
    study.attention = attention(study.study_probability, thresholds)
    policy = current_policy(session).of_arm(is_control=study.is_control)
    study.rank_key = rank_key(
        study.received_at, study.study_probability, study.clinical_priority, policy=policy
    )
    audit.record(
        session,
        WHO,
        "study.analysed",
        about=("study", study.id),
        result=study.result,
        result_version=study.result_version,
        images=len(judgement.probabilities),
        probability=study.study_probability,
    )


def _images(session: Session, study_id: int) -> Sequence[tuple[Instance, Analysis | None]]:
    """Return the current images with the analysis that counts for each, the same that the study page shows.

    After a change of the classifier some images of a study may still have the analysis of the former one: it
    counts, or the study would be judged by half of its images.
    """
    instances = session.scalars(
        select(Instance)
        .join(Instance.series)
        .where(Series.study_id == study_id, Instance.is_current)
        .order_by(Instance.id)
        .execution_options(populate_existing=True)
    ).all()
    counting = analyses(session, [instance.id for instance in instances])
    return [(instance, counting.get(instance.id)) for instance in instances]


def _versions(
    session: Session, images: Sequence[tuple[Instance, Analysis | None]]
) -> Sequence[ClassifierVersion]:
    """Return the classifier versions that judged a study, the one in charge last."""
    ids = {found.classifier_version_id for _, found in images if found is not None}
    return session.scalars(
        select(ClassifierVersion)
        .where(ClassifierVersion.id.in_(ids))
        .order_by(ClassifierVersion.state == ClassifierState.CHAMPION, ClassifierVersion.id)
    ).all()


def _judge(images: Sequence[tuple[Instance, Analysis | None]]) -> _Judgement:
    probabilities = tuple(
        found.probability for _, found in images if found is not None and found.probability is not None
    )
    waiting = sum(instance.needs_analysis for instance, _ in images)
    failures = [found.reason for _, found in images if found is not None and found.reason]
    told = [instance.no_analysis_reason for instance, _ in images if instance.no_analysis_reason]
    if probabilities:
        return _Judgement(Result.SCORED, _partly(len(probabilities), waiting, failures), probabilities)
    if waiting:
        return _Judgement(Result.WAITING, "", ())
    if failures:
        return _Judgement(Result.FAILED, failures[0], ())
    return _Judgement(Result.OUT_OF_SCOPE, told[0] if told else "No image that the classifier may judge.", ())


def _partly(done: int, waiting: int, failures: Sequence[str]) -> str:
    parts = []
    if waiting:
        parts.append(f"{done} of {done + waiting + len(failures)} images analysed so far.")
    if failures:
        parts.append(f"{len(failures)} without a prediction: {failures[0]}")
    return " ".join(parts)


def _thresholds(
    session: Session, version: ClassifierVersion, body_part: BodyPart | None
) -> dict[Attention, float]:
    rows = session.scalars(
        select(OperatingPoint).where(
            OperatingPoint.classifier_version_id == version.id, OperatingPoint.body_part == body_part
        )
    )
    return {row.attention: row.threshold for row in rows}
