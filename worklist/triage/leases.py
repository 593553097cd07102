"""Which worker has which image: a claim that holds for a lease, and is renewed while the worker lives."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, update
from sqlalchemy.orm import Session

from worklist import clock, settings
from worklist.tables import Analysis, AnalysisState

MAXIMUM_ATTEMPTS = 3


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


def renew(session: Session, claims: Sequence[Claimed]) -> None:
    """Give a sign of life: the claims are good for another lease."""
    for claimed in claims:
        session.execute(
            update(Analysis)
            .where(
                Analysis.id == claimed.analysis_id,
                Analysis.attempt == claimed.attempt,
                Analysis.state == AnalysisState.RUNNING,
            )
            .values(lease_expires_at=lease_end())
        )


def expired() -> ColumnElement[bool]:
    """Analyses that a worker has claimed, and of which it gives no sign of life."""
    return and_(Analysis.state == AnalysisState.RUNNING, Analysis.lease_expires_at < clock.now())


def lease_end() -> datetime:
    """Return until when a claim holds that is made or renewed now."""
    return clock.now() + timedelta(seconds=settings.current().analysis_lease_seconds)
