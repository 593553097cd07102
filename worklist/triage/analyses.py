"""Which images wait for their analysis, and which worker has taken them.

A worker claims by inserting the analysis row (its unique constraint lets one win) or by taking over a row whose
lease has run out; both are conditional, nothing is locked. The attempt number is a fence: a slow worker that
lost its claim cannot overwrite what a later one wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worklist import clock, settings
from worklist.tables import Analysis, AnalysisState, Instance, Series, Study
from worklist.triage.prediction import Prediction
from worklist.triage.record import Outcome, record_predictions

MAXIMUM_ATTEMPTS = 3
# A job needs a moment to reach its worker; younger images are not lost.
GRACE = timedelta(seconds=10)
SWEEP_LIMIT = 16


@dataclass(frozen=True)
class Claimed:
    """One image that this worker now analyses."""

    analysis_id: int
    attempt: int
    instance_id: int
    file_path: str


@dataclass(frozen=True)
class Claimant:
    """Who claims, and for which classifier and preprocessing."""

    worker: str
    classifier_version_id: int
    preprocessing_version: int


def claim_batch(session: Session, instance_id: int, claimant: Claimant) -> list[Claimed]:
    """Claim an image and, in rank order, others that wait, so that they go through the network together.

    Returns
    -------
    list of Claimed
        Empty if the named image is analysed already, or just being analysed by another worker.
    """
    named = session.execute(_waiting(claimant).where(Instance.id == instance_id)).first()
    claimed = _claim(session, named.id, named.file_path, claimant) if named else None
    if claimed is None:
        return []
    if claimed.attempt > 1:
        # A worker died over a batch that had this image: alone it cannot take others down again.
        return [claimed]
    others = session.execute(
        _waiting(claimant)
        .where(Analysis.id.is_(None))
        .order_by(Study.rank_key, Instance.id)
        .limit(settings.current().analysis_batch_size - 1)
    )
    claims = [_claim(session, row.id, row.file_path, claimant) for row in others]
    return [claimed, *(other for other in claims if other is not None)]


def renew(session: Session, claims: Sequence[Claimed]) -> None:
    """Give a sign of life: the claims are good for another lease."""
    for claimed in claims:
        session.execute(
            update(Analysis)
            .where(Analysis.id == claimed.analysis_id, Analysis.attempt == claimed.attempt)
            .values(lease_expires_at=_lease_end())
        )


def lost_instances(session: Session, *, limit: int = SWEEP_LIMIT) -> list[int]:
    """Return images that wait although no live worker has them: their job may be lost.

    One job takes a whole batch along, so a few names are enough to set everything in motion.
    """
    running = (
        select(Analysis.id)
        .where(
            Analysis.instance_id == Instance.id,
            Analysis.state == AnalysisState.RUNNING,
            Analysis.lease_expires_at >= clock.now(),
        )
        .exists()
    )
    return list(
        session.scalars(
            select(Instance.id)
            .where(Instance.needs_analysis, Instance.received_at < clock.now() - GRACE, ~running)
            .order_by(Instance.received_at, Instance.id)
            .limit(limit)
        )
    )


def _waiting(claimant: Claimant) -> Select[int, str]:
    """Images to be analysed by this classifier version that no live worker has."""
    own_row = and_(
        Analysis.instance_id == Instance.id,
        Analysis.classifier_version_id == claimant.classifier_version_id,
        Analysis.preprocessing_version == claimant.preprocessing_version,
    )
    expired = and_(Analysis.state == AnalysisState.RUNNING, Analysis.lease_expires_at < clock.now())
    return (
        select(Instance.id, Instance.file_path)
        .join(Instance.series)
        .join(Series.study)
        .outerjoin(Analysis, own_row)
        .where(Instance.needs_analysis, or_(Analysis.id.is_(None), expired))
    )


def _claim(session: Session, instance_id: int, file_path: str, claimant: Claimant) -> Claimed | None:
    row = _insert(session, instance_id, claimant) or _take_over(session, instance_id, claimant)
    if row is None:
        return None
    analysis_id, attempt = row
    if attempt > MAXIMUM_ATTEMPTS:
        reason = f"Cannot be analysed: the worker stopped {MAXIMUM_ATTEMPTS} times while it had this image."
        record_predictions(session, [Outcome(analysis_id, attempt, Prediction(reason=reason))])
        return None
    return Claimed(analysis_id, attempt, instance_id, file_path)


def _insert(session: Session, instance_id: int, claimant: Claimant) -> tuple[int, int] | None:
    insert = (
        sqlite.insert(Analysis) if session.get_bind().dialect.name == "sqlite" else postgresql.insert(Analysis)
    )
    statement = (
        insert.values(
            instance_id=instance_id,
            classifier_version_id=claimant.classifier_version_id,
            preprocessing_version=claimant.preprocessing_version,
            state=AnalysisState.RUNNING,
            attempt=1,
            worker=claimant.worker,
            started_at=clock.now(),
            lease_expires_at=_lease_end(),
        )
        .on_conflict_do_nothing()
        .returning(Analysis.id, Analysis.attempt)
    )
    row = session.execute(statement).first()
    return (row[0], row[1]) if row else None


def _take_over(session: Session, instance_id: int, claimant: Claimant) -> tuple[int, int] | None:
    statement = (
        update(Analysis)
        .where(
            Analysis.instance_id == instance_id,
            Analysis.classifier_version_id == claimant.classifier_version_id,
            Analysis.preprocessing_version == claimant.preprocessing_version,
            Analysis.state == AnalysisState.RUNNING,
            Analysis.lease_expires_at < clock.now(),
        )
        .values(
            attempt=Analysis.attempt + 1,
            worker=claimant.worker,
            started_at=clock.now(),
            lease_expires_at=_lease_end(),
        )
        .returning(Analysis.id, Analysis.attempt)
    )
    row = session.execute(statement).first()
    return (row[0], row[1]) if row else None


def _lease_end() -> datetime:
    return clock.now() + timedelta(seconds=settings.current().analysis_lease_seconds)
