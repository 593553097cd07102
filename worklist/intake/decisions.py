"""What an administrator decides on a file of the quarantine: file it, check it again, discard it.

Nothing is ever deleted: a discarded file stays where it is.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from worklist import archive, audit, clock, database
from worklist.dicom.header import InstanceHeader, read_header
from worklist.errors import Conflict, Invalid, NotFound
from worklist.intake import contradictions, quarantine
from worklist.intake.identity import SetAside
from worklist.intake.register import Registered, register
from worklist.intake.studies import FirstPlace
from worklist.tables import Instance, Quarantined, QuarantineKind, QuarantineState, Resolution, Series

LONGEST_NOTE = 500
SHARED_INSTANCE = "An image of this study is in another study too, under the same UID."


def file_in_study(
    session: Session, quarantined_id: int, *, who: str, note: str, first_place: FirstPlace, owner: str
) -> Registered:
    """File an image in the study it names, although it contradicts what is known.

    An image that is in another study as well stays there; readers of both are warned.

    Parameters
    ----------
    owner
        Name of this process in the archive's spool; handed in, because only receivers know of it.

    Raises
    ------
    Invalid
        If it cannot be understood, or the note is missing.
    Conflict
        If somebody has decided already.
    """
    row = _undecided(session, quarantined_id)
    if row.kind is QuarantineKind.UNREADABLE:
        raise Invalid("This file cannot be understood, so no study can be found for it: discard it.")
    note = _checked(note)
    registered = _register(session, row, first_place, owner, is_decided=True)
    if row.kind is QuarantineKind.OTHER_STUDY:
        _warn_of_shared_instance(session, row.sop_instance_uid)
    _decide(session, row, Resolution.FILED, who=who, note=note)
    about = ("quarantined", row.id)
    audit.record(session, who, "quarantine.filed", about=about, study_id=registered.study_id, reason=row.kind)
    return registered


def check_again(
    session: Session, quarantined_id: int, *, who: str, first_place: FirstPlace, owner: str
) -> Registered:
    """File an image in its study if nothing contradicts any more.

    Parameters
    ----------
    owner
        As for `file_in_study`.

    Raises
    ------
    SetAside
        If something still does; hand it to `still_held` in a transaction of its own.
    Invalid
        If it cannot be understood.
    Conflict
        If somebody has decided already.
    """
    row = _undecided(session, quarantined_id)
    registered = _register(session, row, first_place, owner, is_decided=False)
    _decide(session, row, Resolution.FITS, who=who, note="")
    about = ("quarantined", row.id)
    audit.record(session, who, "quarantine.checked", about=about, study_id=registered.study_id)
    return registered


def still_held(session: Session, quarantined_id: int, why: SetAside) -> None:
    """Note what contradicts now, which may be something else than at first."""
    row = _undecided(session, quarantined_id)
    quarantine.update(row, quarantine.contradiction(session, _header(session, row), why))


def discard(session: Session, quarantined_id: int, *, who: str, note: str) -> None:
    """Decide that an image is not wanted; its file stays and it can be taken up again.

    Raises
    ------
    Invalid
        If the note is missing.
    Conflict
        If somebody has decided already.
    """
    row = _undecided(session, quarantined_id)
    _decide(session, row, Resolution.DISCARDED, who=who, note=_checked(note))
    audit.record(session, who, "quarantine.discarded", about=("quarantined", row.id), reason=row.kind)


def reopen(session: Session, quarantined_id: int, *, who: str) -> None:
    """Take up again what was discarded.

    Raises
    ------
    Conflict
        If it was not discarded.
    """
    row = _locked(session, quarantined_id)
    if row.resolution is not Resolution.DISCARDED:
        raise Conflict("Only what was discarded can be taken up again.")
    quarantine.open_again(row)
    audit.record(session, who, "quarantine.reopened", about=("quarantined", row.id))


def _decide(session: Session, row: Quarantined, resolution: Resolution, *, who: str, note: str) -> None:
    row.state, row.resolution, row.note = QuarantineState.RESOLVED, resolution, note
    row.resolved_by, row.resolved_at = who, clock.now()
    session.flush()


def _register(
    session: Session, row: Quarantined, first_place: FirstPlace, owner: str, *, is_decided: bool
) -> Registered:
    """Register the file from a place outside of the quarantine, and empty its place there after the commit."""
    header, held_path = _header(session, row), row.file_path
    kept = archive.release(held_path, clock.now(), owner)
    try:
        registered = register(
            session,
            header,
            kept,
            source=row.source,
            first_place=first_place,
            is_decided=is_decided,
        )
        row.file_path = session.scalars(
            select(Instance.file_path).where(Instance.id == registered.instance_id)
        ).one()
        session.flush()
    except Exception:
        archive.remove(kept.file_path)
        raise
    database.after_commit(session, lambda: archive.remove(held_path))
    return registered


def _header(session: Session, row: Quarantined) -> InstanceHeader:
    return read_header(archive.path_of(row.file_path), row.source.character_set if row.source else "")


def _warn_of_shared_instance(session: Session, sop_instance_uid: str) -> None:
    studies = select(Series.study_id).join(Series.instances)
    shared = set(session.scalars(studies.where(Instance.sop_instance_uid == sop_instance_uid)))
    if len(shared) > 1:
        session.flush()
        contradictions.warn(session, shared, SHARED_INSTANCE)


def _undecided(session: Session, quarantined_id: int) -> Quarantined:
    row = _locked(session, quarantined_id)
    if row.state is not QuarantineState.OPEN:
        raise Conflict(f"{row.resolved_by} has decided on this file already: {row.resolution}.")
    return row


def _locked(session: Session, quarantined_id: int) -> Quarantined:
    row = session.scalars(quarantine.for_update().where(Quarantined.id == quarantined_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such file in the quarantine.")
    return row


def _checked(note: str) -> str:
    note = note.strip()
    if not note:
        raise Invalid("Write a note that says why: whoever asks later finds it here.")
    return note[:LONGEST_NOTE]
