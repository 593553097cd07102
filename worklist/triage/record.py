"""Store a prediction as a row, and bring the study's probability, flag and rank up to date."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from worklist import audit, clock
from worklist.tables import (
    Analysis,
    AnalysisState,
    Attention,
    BodyPart,
    Calibration,
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
from worklist.triage.prediction import Prediction
from worklist.triage.probability import RULE, attention, calibrated, study_probability
from worklist.triage.ranking import rank_key

WHO = "worker"


@dataclass(frozen=True)
class _Judgement:
    """What the analyses of a study's images say together."""

    result: Result
    reason: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Outcome:
    """What one attempt at one image came to."""

    analysis_id: int
    attempt: int
    prediction: Prediction


def record_predictions(session: Session, outcomes: Sequence[Outcome]) -> list[int]:
    """Store what the classifier returned for a batch, and refresh each study once.

    Returns
    -------
    list of int
        The instances that are now done. An attempt whose claim was taken over meanwhile stores nothing.
    """
    # Studies before their images, as reception takes them, and by id: nobody waits for each other. It also
    # keeps two workers from each missing the other's image, and a change of policy from missing a study.
    _lock_studies(session, outcomes)
    held = [(analysis, item) for item in outcomes if (analysis := _held(session, item)) is not None]
    for analysis, item in held:
        _fill(session, analysis, item.prediction)
        session.get_one(Instance, analysis.instance_id).needs_analysis = False
    session.flush()
    done = [analysis.instance_id for analysis, _ in held]
    for study_id in _study_ids(session, done):
        refresh_study(session, study_id)
    return done


def mark_without_classifier(session: Session, reason: str) -> int:
    """Tell every waiting study that nothing is scored, and why; return how many are told something new."""
    statement = (
        update(Study)
        .where(
            Study.result.in_([Result.WAITING, Result.NO_CLASSIFIER]),
            Study.result_reason != reason,
            Study.is_open,
        )
        .values(result=Result.NO_CLASSIFIER, result_reason=reason)
        .returning(Study.id)
    )
    return len(session.scalars(statement).all())


def mark_waiting_again(session: Session, *, told: Sequence[str] | None = None) -> int:
    """Let studies that had no classifier wait for their analysis; return how many there are.

    With ``told`` only those that were given one of these reasons: whoever knows that a classifier is in charge
    does not know yet that it can be loaded.
    """
    statement = update(Study).where(Study.result == Result.NO_CLASSIFIER, Study.is_open)
    if told is not None:
        statement = statement.where(Study.result_reason.in_(told))
    updated = session.scalars(
        statement.values(result=Result.WAITING, result_reason="").returning(Study.id)
    ).all()
    return len(updated)


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
    thresholds = _thresholds(session, versions[-1], study.body_part) if versions else {}
    study.attention = attention(study.study_probability, thresholds)
    policy = current_policy(session)
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


def _fill(session: Session, analysis: Analysis, prediction: Prediction) -> None:
    analysis.lease_expires_at = None
    analysis.reason = prediction.reason
    analysis.crop_reason = prediction.crop_reason
    analysis.explained_class = prediction.explained_class
    if prediction.crop is not None:
        analysis.crop_top, analysis.crop_left, analysis.crop_height, analysis.crop_width = prediction.crop
    if prediction.heat_map is not None:
        analysis.heat_map = prediction.heat_map.astype("<f2").tobytes()
        analysis.heat_map_rows, analysis.heat_map_columns = prediction.heat_map.shape
    analysis.state = AnalysisState.FAILED
    if prediction.logit is not None:
        analysis.state = AnalysisState.DONE
        analysis.logit = prediction.logit
        analysis.probability = _calibrate(session, analysis, prediction.logit)


def _calibrate(session: Session, analysis: Analysis, logit: float) -> float:
    body_part = session.scalars(
        select(Study.body_part)
        .join(Study.series)
        .join(Series.instances)
        .where(Instance.id == analysis.instance_id)
    ).one()
    row = session.scalars(
        select(Calibration).where(
            Calibration.classifier_version_id == analysis.classifier_version_id,
            Calibration.body_part == body_part,
        )
    ).first()
    return calibrated(logit, slope=row.slope, intercept=row.intercept) if row else calibrated(logit)


def _held(session: Session, outcome: Outcome) -> Analysis | None:
    """Return the analysis row if this attempt still holds it; the update takes the row against rivals."""
    statement = (
        update(Analysis)
        .where(
            Analysis.id == outcome.analysis_id,
            Analysis.attempt == outcome.attempt,
            Analysis.state == AnalysisState.RUNNING,
        )
        .values(finished_at=clock.now())
        .returning(Analysis.id)
    )
    if session.scalars(statement).first() is None:
        return None
    return session.get_one(Analysis, outcome.analysis_id, populate_existing=True)


def _lock_studies(session: Session, outcomes: Sequence[Outcome]) -> None:
    instance_ids = select(Analysis.instance_id).where(Analysis.id.in_([item.analysis_id for item in outcomes]))
    study_ids = select(Series.study_id).join(Series.instances).where(Instance.id.in_(instance_ids))
    session.execute(select(Study.id).where(Study.id.in_(study_ids)).order_by(Study.id).with_for_update()).all()


def _study_ids(session: Session, instance_ids: Sequence[int]) -> Sequence[int]:
    statement = select(Series.study_id).join(Series.instances).where(Instance.id.in_(instance_ids))
    return session.scalars(statement.distinct().order_by(Series.study_id)).all()


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
