"""When is a study complete? When no image came for a while, or when it has waited long enough.

A modality that reports its performed procedure steps says which images it has made: once all of them are there,
the study is complete. The while is short once all views are there that studies of the body part are expected
to have.

DICOM has no word for it: a release of the association is none, since modalities send one study over several
and several studies over one. A late image re-opens the study (``studies.py``).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from worklist import audit, clock, settings
from worklist.intake import performed_steps
from worklist.intake.views import are_complete
from worklist.tables import Instance, Series, Source, Study

WHO = "assembly"
ALL_MADE = "The modality has ended its work, and what it made is here: {}."
ALL_VIEWS = "All expected views are there."


def complete_quiet_studies(session: Session) -> list[int]:
    """Mark studies as complete whose time is up, and return their ids."""
    now = clock.now()
    completed = []
    for study_id, content_version, reason in _due(session, now):
        # Only if no image has come since the look: whoever registers one holds the row.
        if session.scalar(
            update(Study)
            .where(Study.id == study_id, ~Study.is_complete, Study.content_version == content_version)
            .values(is_complete=True, completion_reason=reason)
            .returning(Study.id)
        ):
            audit.record(session, WHO, "study.completed", about=("study", study_id), reason=reason)
            completed.append(study_id)
    return completed


def note_transfer(session: Session, study_ids: Iterable[int]) -> None:
    """Begin the quiet time of studies anew, since the image behind their last one is being received."""
    session.execute(
        update(Study)
        .where(Study.id.in_(list(study_ids)), ~Study.is_complete)
        .values(last_received_at=clock.now())
    )


def _due(session: Session, now: datetime) -> list[tuple[int, int, str]]:
    """Return id, content version and reason of each incomplete study whose time is up."""
    limits = settings.current()
    views = _views_of_incomplete(session)
    finished = performed_steps.finished_studies(session)
    rows = session.execute(
        select(
            Study.id,
            Study.content_version,
            Study.received_at,
            Study.last_received_at,
            Study.body_part,
            func.max(Source.quiet_seconds),
        )
        .outerjoin(Study.series)
        .outerjoin(Series.instances)
        .outerjoin(Instance.source)
        .where(~Study.is_complete)
        .group_by(Study.id)
        .order_by(Study.id)
    )
    due = []
    for study_id, content_version, received_at, last_received_at, body_part, of_source in rows:
        quiet_seconds = limits.quiet_seconds if of_source is None else of_source
        quiet = now - last_received_at
        if quiet >= timedelta(seconds=quiet_seconds):
            due.append((study_id, content_version, f"No new image for {quiet_seconds:g} s."))
        elif quiet >= timedelta(seconds=limits.expected_views_seconds) and are_complete(
            limits.expected_views, body_part, views.get(study_id, ())
        ):
            due.append((study_id, content_version, ALL_VIEWS))
        elif study_id in finished:
            due.append((study_id, content_version, ALL_MADE.format(finished[study_id])))
        elif now - received_at >= timedelta(seconds=limits.completion_limit_seconds):
            reason = f"{limits.completion_limit_seconds / 60:g} minutes after the first image."
            due.append((study_id, content_version, reason))
    return due


def _views_of_incomplete(session: Session) -> dict[int, set[str]]:
    """Return the view positions of each incomplete study."""
    rows = session.execute(
        select(Study.id, Instance.view_position)
        .join(Study.series)
        .join(Series.instances)
        .where(~Study.is_complete, Instance.is_current, Instance.view_position != "")
    )
    views: dict[int, set[str]] = {}
    for study_id, view_position in rows:
        views.setdefault(study_id, set()).add(view_position)
    return views
