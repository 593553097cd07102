"""Analyses of images that have been analysed before: by a version in shadow, or by a new one in charge.

What such a version still has to do are rows as well: analyses that nobody has claimed, which look like claims
that have run out. So a lost job is found as a dead worker's is, and the counts on the page are true.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, Select, and_, func, insert, literal, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from worklist import clock
from worklist.tables import (
    Analysis,
    AnalysisState,
    ClassifierState,
    ClassifierVersion,
    Instance,
    Series,
    Study,
)
from worklist.triage.leases import MAXIMUM_ATTEMPTS, Claimant, Claimed, expired, lease_end
from worklist.triage.refresh import refresh_study

# Smaller than a batch of new images, which may have to wait for this one.
BATCH = 8
REFRESHED_AT_ONCE = 32
# A worker puts its own in its place when it begins.
NO_PREPROCESSING = 0
NEVER_HELD = timedelta(seconds=1)


@dataclass(frozen=True)
class Backlog:
    """How far a version is with what it was offered."""

    done: int
    failed: int
    left: int


def offer(session: Session, version_id: int, instance_ids: Sequence[int]) -> int:
    """Give a version images to analyse, those it has or had left out; return how many are new to it."""
    return _offer(session, version_id, Instance.id.in_(instance_ids)) if instance_ids else 0


def offer_open_studies(session: Session, version_id: int) -> int:
    """Give a version the analysed images of all studies that wait for their reader."""
    return _offer(session, version_id, Study.is_open)


def claim(session: Session, claimant: Claimant) -> list[Claimed]:
    """Claim images that were offered to a version, whole studies in rank order.

    Returns
    -------
    list of Claimed
        Of one study, or of several with `BATCH` images at most. One that has brought a worker down before is
        alone; after `MAXIMUM_ATTEMPTS` it counts among the `hopeless`.
    """
    rows = session.execute(_offered(claimant.classifier_version_id).limit(BATCH + 1)).all()
    statement = (
        update(Analysis)
        .where(Analysis.id.in_([row.analysis_id for row in _batch(rows)]), expired())
        .values(
            attempt=Analysis.attempt + 1,
            preprocessing_version=claimant.preprocessing_version,
            worker=claimant.worker,
            started_at=clock.now(),
            lease_expires_at=lease_end(),
        )
        .returning(Analysis.id, Analysis.attempt)
    )
    attempts: dict[int, int] = {row.id: row.attempt for row in session.execute(statement)}
    return [
        Claimed(row.analysis_id, attempts[row.analysis_id], row.id, row.file_path)
        for row in rows
        if row.analysis_id in attempts
    ]


def hopeless(claims: Sequence[Claimed]) -> list[Claimed]:
    """Return the claims whose image has stopped too many workers."""
    return [claimed for claimed in claims if claimed.attempt > MAXIMUM_ATTEMPTS]


def refresh_stale(session: Session) -> int:
    """Give open studies the score of the version in charge where it has judged them before; return how many.

    They are those that a version analysed in shadow, or before another one took its place for a while.
    """
    champion_id = session.scalars(
        select(ClassifierVersion.id).where(ClassifierVersion.state == ClassifierState.CHAMPION)
    ).first()
    if champion_id is None:
        return 0
    stale = session.scalars(_stale(champion_id).limit(REFRESHED_AT_ONCE)).all()
    session.execute(select(Study.id).where(Study.id.in_(stale)).order_by(Study.id).with_for_update()).all()
    for study_id in sorted(stale):
        refresh_study(session, study_id)
    return len(stale)


def idle_versions(session: Session) -> list[int]:
    """Return the versions that have images left and no worker with them: their job is lost, or not yet sent."""
    working = (
        select(Analysis.id)
        .where(
            Analysis.classifier_version_id == ClassifierVersion.id,
            Analysis.state == AnalysisState.RUNNING,
            Analysis.lease_expires_at >= clock.now(),
        )
        .exists()
    )
    return list(
        session.scalars(
            select(ClassifierVersion.id)
            .where(
                ClassifierVersion.state.in_([ClassifierState.CHAMPION, ClassifierState.SHADOW]),
                ~working,
                or_(
                    _offered_to(ClassifierVersion.id).exists(),
                    and_(
                        ClassifierVersion.state == ClassifierState.CHAMPION,
                        _stale(ClassifierVersion.id).correlate(ClassifierVersion).exists(),
                    ),
                ),
            )
            .order_by(ClassifierVersion.id)
        )
    )


def withdraw(session: Session, version_id: int) -> None:
    """Take back what a version was offered and has not begun: it is neither in charge nor watching any more."""
    offered = select(Analysis).where(
        Analysis.classifier_version_id == version_id, Analysis.state == AnalysisState.RUNNING, expired()
    )
    for analysis in session.scalars(offered):
        session.delete(analysis)
    session.flush()


def backlog(session: Session, version_id: int) -> Backlog:
    """Count what a version has done and has left."""
    counts: dict[AnalysisState, int] = {
        row.state: row.images
        for row in session.execute(
            select(Analysis.state, func.count().label("images"))
            .where(Analysis.classifier_version_id == version_id)
            .group_by(Analysis.state)
        )
    }
    return Backlog(
        done=counts.get(AnalysisState.DONE, 0),
        failed=counts.get(AnalysisState.FAILED, 0),
        left=counts.get(AnalysisState.RUNNING, 0),
    )


def _offer(session: Session, version_id: int, which: ColumnElement[bool] | InstrumentedAttribute[bool]) -> int:
    known = select(Analysis.id).where(
        Analysis.instance_id == Instance.id, Analysis.classifier_version_id == version_id
    )
    now = clock.now()
    values: dict[str, Any] = {
        "instance_id": Instance.id,
        "classifier_version_id": literal(version_id),
        "preprocessing_version": literal(NO_PREPROCESSING),
        "state": literal(AnalysisState.RUNNING, Analysis.state.type),
        "attempt": literal(0, Integer),
        "started_at": literal(now, Analysis.started_at.type),
        "lease_expires_at": literal(now - NEVER_HELD, Analysis.lease_expires_at.type),
    }
    images = (
        select(*values.values())
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Series.study_id)
        .where(
            which,
            Instance.is_current,
            ~Instance.needs_analysis,
            Instance.no_analysis_reason == "",
            ~known.exists(),
        )
    )
    made = session.execute(insert(Analysis).from_select(list(values), images))
    return int(made.rowcount)  # type: ignore[attr-defined]


def _offered(version_id: int) -> Any:
    return (
        select(
            Instance.id, Instance.file_path, Series.study_id, Analysis.id.label("analysis_id"), Analysis.attempt
        )
        .join(Instance.series)
        .join(Series.study)
        .join(Analysis, Analysis.instance_id == Instance.id)
        .where(
            Analysis.classifier_version_id == version_id,
            expired(),
            Instance.is_current,
            ~Instance.needs_analysis,
        )
        .order_by(Study.is_open.desc(), Study.rank_key, Study.id, Instance.id)
    )


def _offered_to(version_id: Any) -> Select[Any]:
    return (
        select(Analysis.id)
        .join(Instance, Instance.id == Analysis.instance_id)
        .where(
            Analysis.classifier_version_id == version_id,
            expired(),
            Instance.is_current,
            ~Instance.needs_analysis,
        )
        .correlate(ClassifierVersion)
    )


def _batch(rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Return whole studies, or one image that has brought a worker down."""
    failed_before = [row for row in rows if row.attempt > 0]
    if failed_before:
        return failed_before[:1]
    if len(rows) <= BATCH:
        return rows
    whole = [row for row in rows if row.study_id != rows[-1].study_id]
    return whole or rows


def _stale(champion_id: Any) -> Select[int]:
    judged = (
        select(Analysis.id)
        .join(Instance, Instance.id == Analysis.instance_id)
        .join(Series, Series.id == Instance.series_id)
        .where(
            Series.study_id == Study.id,
            Instance.is_current,
            Analysis.classifier_version_id == champion_id,
            Analysis.state != AnalysisState.RUNNING,
        )
        .correlate(Study, ClassifierVersion)
    )
    # Two ranges, since no index helps to find what is different.
    other = or_(Study.scored_by_id < champion_id, Study.scored_by_id > champion_id)
    return select(Study.id).where(Study.is_open, other, judged.exists()).order_by(Study.rank_key)
