"""Training runs: asked for, claimed by a worker, followed, cancelled, ended; one row says it all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from worklist import audit, clock, jobs, settings
from worklist.classifiers import versions
from worklist.classifiers.recipe import Recipe
from worklist.errors import Conflict, Invalid, NotFound
from worklist.tables import ClassifierVersion, TrainingRun, TrainingState

WHO = "worker"
STARTS = ("version", "imagenet", "scratch")
# Long enough that a machine busy with training still gives a sign of life in time.
LEASE = timedelta(seconds=120)
MAXIMUM_ATTEMPTS = 5
GRACE = timedelta(seconds=10)
_UNFINISHED = (TrainingState.QUEUED, TrainingState.RUNNING)


@dataclass(frozen=True)
class Request:
    """What an administrator asks for.

    Parameters
    ----------
    name
        Of the version that comes of it.
    start
        One of `STARTS`; with "version" ``base`` names it.
    recipe
        As ``worklist.classifiers.recipe`` reads it; what it does not name has its default.
    folder
        Of labelled radiographs, as the worker sees it; empty: none.
    """

    name: str
    recipe: dict[str, Any]
    start: str = "version"
    base: str = ""
    verdicts: bool = True
    folder: str = ""


def ask(session: Session, request: Request, who: str) -> TrainingRun:
    """Add a run and its job.

    Raises
    ------
    Invalid
        If it asks for no data, or for something that does not exist.
    Conflict
        If the name is taken.
    """
    name = request.name.strip()
    _check(request, name)
    recipe = Recipe.from_json(json.dumps(request.recipe))
    base = versions.named(session, request.base) if request.start == "version" else None
    for table in (ClassifierVersion, TrainingRun):
        if session.scalars(select(table.id).where(table.name == name)).first():
            raise Conflict(f"The name {name} is taken: choose another one.")
    run = TrainingRun(
        name=name,
        start=request.start,
        base_version_id=base.id if base else None,
        recipe=json.loads(recipe.to_json()),
        data={"verdicts": request.verdicts, "folder": request.folder.strip()},
        requested_at=clock.now(),
        requested_by=who,
    )
    session.add(run)
    session.flush()
    audit.record(session, who, "training.requested", about=("training_run", run.id), name=name, start=run.start)
    jobs.enqueue(session, jobs.TRAIN, run.id)
    return run


def existing(session: Session, run_id: int) -> TrainingRun:
    """Return a run.

    Raises
    ------
    NotFound
        If there is none with this id.
    """
    run = session.get(TrainingRun, run_id)
    if run is None:
        raise NotFound("There is no such training run.")
    return run


def of_version(session: Session, version_id: int) -> TrainingRun | None:
    """Return the run that a version came of; None if it came from elsewhere."""
    return session.scalars(select(TrainingRun).where(TrainingRun.version_id == version_id)).first()


def newest(session: Session, *, limit: int = 50) -> Sequence[TrainingRun]:
    """Return the runs, the newest first."""
    return session.scalars(select(TrainingRun).order_by(TrainingRun.id.desc()).limit(limit)).all()


def folder(run: TrainingRun) -> Path:
    """Return where a run has its snapshot and its checkpoints."""
    return settings.current().training_folder / str(run.id)


def cancel(session: Session, run_id: int, who: str) -> TrainingRun:
    """Ask a run to stop at its next step; one that waits for its worker ends at once.

    Raises
    ------
    Conflict
        If it has ended.
    """
    run = existing(session, run_id)
    if run.state not in _UNFINISHED:
        raise Conflict(f"The training of {run.name} has ended already.")
    run.cancel_requested_at = run.cancel_requested_at or clock.now()
    if run.state is TrainingState.QUEUED:
        run.state, run.finished_at = TrainingState.CANCELLED, clock.now()
    audit.record(session, who, "training.cancelled", about=("training_run", run.id), name=run.name)
    return run


def due(session: Session) -> list[int]:
    """Return the run that lost its job, or its worker; the first of several, and none while a worker is busy.

    The sweep asks every few seconds, and a training takes hours: whatever it offered while there is no worker
    to take it would only grow the queue.
    """
    busy = select(TrainingRun.id).where(
        TrainingRun.state == TrainingState.RUNNING, TrainingRun.lease_expires_at >= clock.now()
    )
    waits = and_(TrainingRun.state == TrainingState.QUEUED, TrainingRun.requested_at < clock.now() - GRACE)
    return list(
        session.scalars(
            select(TrainingRun.id)
            .where(or_(waits, _abandoned()), ~busy.exists())
            .order_by(TrainingRun.id)
            .limit(1)
        )
    )


def claim(session: Session, run_id: int, worker: str) -> TrainingRun | None:
    """Take a run that waits, or whose worker gives no sign of life; None if there is nothing to do.

    One that has brought down `MAXIMUM_ATTEMPTS` workers fails.
    """
    statement = (
        update(TrainingRun)
        .where(TrainingRun.id == run_id, or_(TrainingRun.state == TrainingState.QUEUED, _abandoned()))
        .values(
            state=TrainingState.RUNNING,
            attempt=TrainingRun.attempt + 1,
            worker=worker,
            lease_expires_at=clock.now() + LEASE,
        )
        .returning(TrainingRun.id)
    )
    if session.scalars(statement).first() is None:
        return None
    run = session.get_one(TrainingRun, run_id, populate_existing=True)
    run.started_at = run.started_at or clock.now()
    if run.attempt > MAXIMUM_ATTEMPTS:
        reason = f"The worker stopped {MAXIMUM_ATTEMPTS} times during this training."
        end(session, run, TrainingState.FAILED, reason=reason)
        return None
    return run


def renew(session: Session, run_id: int, attempt: int) -> bool:
    """Give a sign of life; False if the run is to stop: cancelled, or taken over by another worker."""
    statement = (
        update(TrainingRun)
        .where(
            TrainingRun.id == run_id,
            TrainingRun.attempt == attempt,
            TrainingRun.state == TrainingState.RUNNING,
            TrainingRun.cancel_requested_at.is_(None),
        )
        .values(lease_expires_at=clock.now() + LEASE)
        .returning(TrainingRun.id)
    )
    return session.scalars(statement).first() is not None


def held(session: Session, run_id: int, attempt: int) -> TrainingRun | None:
    """Return a run for whoever has it, locked; None if it was taken over, or has ended."""
    run = session.get(TrainingRun, run_id, with_for_update=True, populate_existing=True)
    return run if run and run.state is TrainingState.RUNNING and run.attempt == attempt else None


def let_go(session: Session, run_id: int, attempt: int) -> None:
    """Give a run back, to be gone on with by the next worker."""
    run = held(session, run_id, attempt)
    if run is not None:
        run.lease_expires_at = clock.now() - timedelta(seconds=1)


def end(
    session: Session, run: TrainingRun, state: TrainingState, *, reason: str = "", version_id: int | None = None
) -> None:
    """Store how a run ended."""
    run.state, run.reason, run.version_id = state, reason, version_id
    run.finished_at, run.lease_expires_at = clock.now(), None
    about = ("training_run", run.id)
    audit.record(session, WHO, "training.ended", about=about, name=run.name, state=state.value, reason=reason)


def _abandoned() -> Any:
    return and_(TrainingRun.state == TrainingState.RUNNING, TrainingRun.lease_expires_at < clock.now())


def _check(request: Request, name: str) -> None:
    if not name or len(name) > 64 or not all(letter.isalnum() or letter in "-_." for letter in name):
        raise Invalid(f"A name has 1 to 64 letters, digits, dots, hyphens or underscores; {name!r} has not.")
    if request.start not in STARTS:
        raise Invalid(f"Weights to start from are one of {', '.join(STARTS)}, not {request.start!r}.")
    if not request.verdicts and not request.folder.strip():
        raise Invalid(
            "There is nothing to learn from: choose verdicts, a folder of labelled radiographs, or both."
        )
