"""Store a prediction as a row, and bring the study's probability, flag and rank up to date."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from worklist import audit, clock
from worklist.tables import (
    Analysis,
    AnalysisState,
    Attention,
    BodyPart,
    Calibration,
    ClassifierVersion,
    Instance,
    OperatingPoint,
    Result,
    Series,
    Study,
)
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
    held = [(analysis, item) for item in outcomes if (analysis := _held(session, item)) is not None]
    for analysis, item in held:
        _fill(session, analysis, item.prediction)
        session.get_one(Instance, analysis.instance_id).needs_analysis = False
    session.flush()
    _refresh_studies(session, [analysis for analysis, _ in held])
    return [analysis.instance_id for analysis, _ in held]


def mark_without_classifier(session: Session, reason: str) -> int:
    """Tell every waiting study that nothing is scored, and why; return how many were told."""
    statement = (
        update(Study)
        .where(Study.result == Result.WAITING, Study.is_open)
        .values(result=Result.NO_CLASSIFIER, result_reason=reason)
        .returning(Study.id)
    )
    return len(session.scalars(statement).all())


def mark_waiting_again(session: Session) -> int:
    """Let studies that had no classifier wait for their analysis; return how many there are."""
    statement = (
        update(Study)
        .where(Study.result == Result.NO_CLASSIFIER, Study.is_open)
        .values(result=Result.WAITING, result_reason="")
        .returning(Study.id)
    )
    return len(session.scalars(statement).all())


def refresh_study(session: Session, study_id: int, version: ClassifierVersion) -> None:
    """Recompute a study's probability, flag and rank from the analyses of its current images."""
    # The update comes first: it holds the row, so that two workers cannot each miss the other's image.
    session.execute(update(Study).where(Study.id == study_id).values(result_version=Study.result_version + 1))
    study = session.get_one(Study, study_id, populate_existing=True)
    judgement = _judge(_images(session, study_id, version))
    study.result = judgement.result
    study.result_reason = judgement.reason
    study.study_probability = study_probability(judgement.probabilities)
    study.probability_rule = RULE
    study.is_demo_score = version.is_demo
    study.attention = attention(study.study_probability, _thresholds(session, version, study.body_part))
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


def _refresh_studies(session: Session, analyses: Sequence[Analysis]) -> None:
    versions = {analysis.instance_id: analysis.classifier_version_id for analysis in analyses}
    rows = session.execute(
        select(Series.study_id, Instance.id).join(Series.instances).where(Instance.id.in_(versions))
    ).all()
    # In one order everywhere, so that two workers never wait for each other.
    for study_id, version_id in sorted({(study_id, versions[instance_id]) for study_id, instance_id in rows}):
        refresh_study(session, study_id, session.get_one(ClassifierVersion, version_id))


def _images(
    session: Session, study_id: int, version: ClassifierVersion
) -> Sequence[tuple[Instance, Analysis | None]]:
    newest = and_(Analysis.instance_id == Instance.id, Analysis.classifier_version_id == version.id)
    rows = session.execute(
        select(Instance, Analysis)
        .join(Instance.series)
        .outerjoin(Analysis, newest)
        .where(Series.study_id == study_id, Instance.is_current)
        .order_by(Instance.id, Analysis.id)
        .execution_options(populate_existing=True)
    )
    # With several preprocessing versions the newest row of an image counts.
    return list({row[0].id: (row[0], row[1]) for row in rows}.values())


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
