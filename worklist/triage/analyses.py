"""Which images wait for their first analysis, and which worker has taken them.

A worker claims by inserting the analysis row (its unique constraint lets one win) or by taking over a row whose
lease has run out; both are conditional, nothing is locked. The attempt number is a fence: a slow worker that
lost its claim cannot overwrite what a later one wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worklist import clock, settings
from worklist.tables import Analysis, AnalysisState, BodyPart, Instance, Series, Study
from worklist.triage.leases import MAXIMUM_ATTEMPTS, Claimant, Claimed, expired, lease_end
from worklist.triage.prediction import Prediction
from worklist.triage.record import Outcome, record_predictions

# A job needs a moment to reach its worker; younger images are not lost.
GRACE = timedelta(seconds=10)
SWEEP_LIMIT = 16


@dataclass(frozen=True)
class StoredImage:
    """One image in the archive, and of which study."""

    study_id: int
    body_part: BodyPart | None
    file_path: str


# Instance, its file, and the analysis that a dead worker left, if any.
Waiting = Row[int, str, int]


def claim_batch(session: Session, instance_id: int, claimant: Claimant) -> list[Claimed]:
    """Claim an image and, in rank order, others that wait, so that they go through the network together.

    Returns
    -------
    list of Claimed
        Without the named image if it is analysed already, or just being analysed by another worker; then mostly
        empty. An image that a dead worker left is alone: it cannot take others down again.
    """
    named = session.execute(_waiting(claimant).where(Instance.id == instance_id)).first()
    if named is None:
        return []
    if named.analysis_id is not None:
        return _take_over(session, named, claimant)
    others = session.execute(
        _waiting(claimant)
        .where(Instance.id != instance_id, Analysis.id.is_(None))
        .order_by(Study.rank_key, Instance.id)
        .limit(settings.current().analysis_batch_size - 1)
    )
    return _insert(session, [named, *others], claimant)


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


def analysed_images(session: Session, *, limit: int) -> list[StoredImage]:
    """Return images that have a prediction, those received last first."""
    is_done = (
        select(Analysis.id)
        .where(Analysis.instance_id == Instance.id, Analysis.state == AnalysisState.DONE)
        .exists()
    )
    rows = session.execute(
        select(Study.id, Study.body_part, Instance.file_path)
        .join(Study.series)
        .join(Series.instances)
        .where(Instance.is_current, is_done)
        .order_by(Instance.id.desc())
        .limit(limit)
    )
    return [StoredImage(*row) for row in rows]


def _waiting(claimant: Claimant) -> Select[int, str, int]:
    """Images to be analysed by this classifier version that no live worker has."""
    own_row = and_(
        Analysis.instance_id == Instance.id,
        Analysis.classifier_version_id == claimant.classifier_version_id,
        Analysis.preprocessing_version == claimant.preprocessing_version,
    )
    return (
        select(Instance.id, Instance.file_path, Analysis.id.label("analysis_id"))
        .join(Instance.series)
        .join(Series.study)
        .outerjoin(Analysis, own_row)
        .where(Instance.needs_analysis, or_(Analysis.id.is_(None), expired()))
    )


def _insert(session: Session, images: Sequence[Waiting], claimant: Claimant) -> list[Claimed]:
    """Claim images that nobody has tried; those for which a rival was faster are left out."""
    insert: Any = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    # By id, whatever their rank: two workers that take the same images in different orders would each hold
    # what the other one waits for.
    rows = [
        {
            "instance_id": image.id,
            "classifier_version_id": claimant.classifier_version_id,
            "preprocessing_version": claimant.preprocessing_version,
            "state": AnalysisState.RUNNING,
            "worker": claimant.worker,
            "started_at": clock.now(),
            "lease_expires_at": lease_end(),
        }
        for image in sorted(images, key=lambda image: image.id)
    ]
    statement = insert(Analysis).values(rows).on_conflict_do_nothing()
    made = session.execute(statement.returning(Analysis.instance_id, Analysis.id))
    ids: dict[int, int] = {row.instance_id: row.id for row in made}
    return [Claimed(ids[image.id], 1, image.id, image.file_path) for image in images if image.id in ids]


def _take_over(session: Session, image: Waiting, claimant: Claimant) -> list[Claimed]:
    """Claim an image whose worker gave no sign of life; after too many of them, say that it is impossible."""
    statement = (
        update(Analysis)
        .where(Analysis.id == image.analysis_id, expired())
        .values(
            attempt=Analysis.attempt + 1,
            worker=claimant.worker,
            started_at=clock.now(),
            lease_expires_at=lease_end(),
        )
        .returning(Analysis.attempt)
    )
    attempt = session.scalars(statement).first()
    if attempt is None:
        return []
    if attempt > MAXIMUM_ATTEMPTS:
        reason = f"Cannot be analysed: the worker stopped {MAXIMUM_ATTEMPTS} times while it had this image."
        record_predictions(session, [Outcome(image.analysis_id, attempt, Prediction(reason=reason))])
        return []
    return [Claimed(image.analysis_id, attempt, image.id, image.file_path)]
