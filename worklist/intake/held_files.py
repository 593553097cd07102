"""What the administrator's page shows of the quarantine: each file beside the studies it has to do with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, joinedload

from worklist.errors import NotFound
from worklist.tables import Quarantined, Study
from worklist.tables.quarantine import IS_OPEN


@dataclass(frozen=True)
class HeldFile:
    """One file and what it is compared with.

    Attributes
    ----------
    contradicted : Study or None
        The study that it contradicts; None if it is gone, or was never found.
    named : Study or None
        The study that the file itself names, if there is one already.
    """

    file: Quarantined
    contradicted: Study | None
    named: Study | None


def open_count(session: Session) -> int:
    """Count the files that wait for a decision."""
    return session.scalar(select(func.count()).select_from(Quarantined).where(IS_OPEN)) or 0


def held_files(session: Session, *, limit: int) -> list[HeldFile]:
    """Return files that wait for a decision, those that wait longest first."""
    waiting = _rows().where(IS_OPEN).order_by(Quarantined.id).limit(limit)
    return _with_studies(session, session.scalars(waiting).all())


def decided_lately(session: Session, *, limit: int) -> list[HeldFile]:
    """Return files that were decided on, the latest first."""
    decided = _rows().where(Quarantined.resolved_at.is_not(None))
    rows = session.scalars(decided.order_by(Quarantined.resolved_at.desc()).limit(limit)).all()
    return _with_studies(session, rows)


def held_file(session: Session, quarantined_id: int) -> Quarantined:
    """Return the row of a file, whatever was decided.

    Raises
    ------
    NotFound
        If there is none with this id.
    """
    row = session.get(Quarantined, quarantined_id)
    if row is None:
        raise NotFound("There is no such file in the quarantine.")
    return row


def _rows() -> Select[Quarantined]:
    return select(Quarantined).options(joinedload(Quarantined.source))


def _with_studies(session: Session, rows: Sequence[Quarantined]) -> list[HeldFile]:
    studies = _studies(session, rows)
    by_id = {study.id: study for study in studies}
    by_uid = {study.study_instance_uid: study for study in studies}
    return [
        HeldFile(row, by_id.get(row.study_id) if row.study_id else None, by_uid.get(row.study_instance_uid))
        for row in rows
    ]


def _studies(session: Session, rows: Iterable[Quarantined]) -> Sequence[Study]:
    ids = {row.study_id for row in rows if row.study_id is not None}
    uids = {row.study_instance_uid for row in rows if row.study_instance_uid}
    if not ids and not uids:
        return []
    return session.scalars(
        select(Study).where(or_(Study.id.in_(ids), Study.study_instance_uid.in_(uids)))
    ).all()
