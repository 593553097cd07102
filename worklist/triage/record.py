"""Store a prediction as a row, and bring the study's probability, flag and rank up to date."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from worklist import clock
from worklist.tables import (
    Analysis,
    AnalysisState,
    Calibration,
    ClassifierState,
    ClassifierVersion,
    Instance,
    Result,
    Series,
    Study,
)
from worklist.triage import rescoring
from worklist.triage.prediction import Prediction
from worklist.triage.probability import calibrated
from worklist.triage.refresh import refresh_study


@dataclass(frozen=True)
class Outcome:
    """What one attempt at one image came to."""

    analysis_id: int
    attempt: int
    prediction: Prediction


def record_predictions(session: Session, outcomes: Sequence[Outcome]) -> list[int]:
    """Store what a classifier returned for a batch, and refresh each study once.

    What a version in shadow returned is stored and changes nothing else.

    Returns
    -------
    list of int
        The instances of which people see a new result. An attempt whose claim was taken over meanwhile stores
        nothing.
    """
    # Studies before their images, as reception takes them, and by id: nobody waits for each other. It also
    # keeps two workers from each missing the other's image, and a change of policy from missing a study.
    _lock_studies(session, outcomes)
    held = [(analysis, item) for item in outcomes if (analysis := _held(session, item)) is not None]
    watching = _watching_id(session)
    done = []
    for analysis, item in held:
        _fill(session, analysis, item.prediction)
        if analysis.classifier_version_id != watching:
            session.get_one(Instance, analysis.instance_id).needs_analysis = False
            done.append(analysis.instance_id)
    session.flush()
    for study_id in _study_ids(session, done):
        refresh_study(session, study_id)
    if watching is not None:
        rescoring.offer(session, watching, done)
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


def _watching_id(session: Session) -> int | None:
    """Return the version in shadow, if there is one."""
    return session.scalars(
        select(ClassifierVersion.id).where(ClassifierVersion.state == ClassifierState.SHADOW)
    ).first()


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
