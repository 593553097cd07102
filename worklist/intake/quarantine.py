"""Files that contradict what is known: kept and counted; ``decisions.py`` tells what becomes of them."""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from worklist import audit, clock
from worklist.archive import Kept
from worklist.dicom.header import InstanceHeader
from worklist.intake.identity import SetAside
from worklist.intake.insertion import insert_unless_there
from worklist.tables import (
    Instance,
    Quarantined,
    QuarantineKind,
    QuarantineState,
    Resolution,
    Series,
    Source,
    Study,
)

WHO = "receiver"


def hold(
    session: Session, kept: Kept, header: InstanceHeader | None, *, why: Exception, source: Source | None
) -> int:
    """Note a file that was set aside, and return the id of its row.

    The same bytes sent again are counted; what an administrator has discarded stays discarded.

    Parameters
    ----------
    kept
        The file where it lies in the quarantine.
    header
        None if it cannot be understood.
    why
        What it contradicts; a `SetAside`, or any other error for a file that cannot be understood.
    """
    now = clock.now()
    found = {**_what_it_says(header), **contradiction(session, header, why), "file_path": kept.file_path}
    first = {"sha256": kept.sha256, "file_bytes": kept.file_bytes, "received_at": now, "last_received_at": now}
    of_source = {"source_id": source.id if source else None}
    states = {"state": QuarantineState.OPEN, "times_received": 1, "note": "", "resolved_by": ""}
    new_id = insert_unless_there(session, Quarantined, {**found, **first, **of_source, **states})
    if new_id is None:
        return _note_again(session, kept, found, source)
    _announce(session, new_id, found)
    return new_id


def contradiction(session: Session, header: InstanceHeader | None, why: Exception) -> dict[str, object]:
    """Return the columns that say what a file contradicts now."""
    kind = why.kind if isinstance(why, SetAside) else QuarantineKind.UNREADABLE
    study_id = _contradicted(session, header, kind) if header else None
    return {"kind": kind, "reason": str(why), "study_id": study_id}


def for_update() -> Select[Quarantined]:
    """Return the statement that reads rows to be changed, with their sources."""
    return (
        select(Quarantined)
        .options(joinedload(Quarantined.source))
        .with_for_update(of=Quarantined)
        .execution_options(populate_existing=True)
    )


def update(row: Quarantined, values: dict[str, object]) -> None:
    """Set columns of a row."""
    for column, value in values.items():
        setattr(row, column, value)


def open_again(row: Quarantined) -> None:
    """Let a row wait for a decision again."""
    row.state, row.resolution = QuarantineState.OPEN, None
    row.note, row.resolved_by, row.resolved_at = "", "", None


def _note_again(session: Session, kept: Kept, found: dict[str, object], source: Source | None) -> int:
    row = session.scalars(for_update().where(Quarantined.sha256 == kept.sha256)).one()
    if source is None and row.file_path == kept.file_path:
        # Found in the archive just before its receiver made the row, which says more than we know.
        return row.id
    if source is not None and row.source_id is None:
        row.source_id = source.id  # the other way round
    row.times_received += 1
    row.last_received_at = clock.now()
    if row.resolution is not Resolution.DISCARDED:
        # Filed once, and its study is gone since: somebody has to decide anew.
        if row.state is QuarantineState.RESOLVED:
            _announce(session, row.id, found)
        open_again(row)
        update(row, found)
    return row.id


def _what_it_says(header: InstanceHeader | None) -> dict[str, object]:
    return {
        "sop_instance_uid": header.sop_instance_uid if header else "",
        "series_instance_uid": header.series_instance_uid if header else "",
        "study_instance_uid": header.study_instance_uid if header else "",
        "patient_id": header.patient_id if header else "",
        "patient_name": header.patient_name if header else "",
        "birth_date": header.birth_date if header else "",
        "sex": header.sex if header else "",
        "accession_number": header.accession_number if header else "",
        "study_date": header.study_date if header else "",
        "description": header.study_description if header else "",
    }


def _contradicted(session: Session, header: InstanceHeader, kind: QuarantineKind) -> int | None:
    """Return the study that an image contradicts."""
    study = select(Study.id).where(Study.study_instance_uid == header.study_instance_uid)
    if kind is QuarantineKind.OTHER_STUDY:
        study = (
            select(Study.id)
            .join(Study.series)
            .join(Series.instances)
            .where(Instance.sop_instance_uid == header.sop_instance_uid)
            .where(Study.study_instance_uid != header.study_instance_uid)
            .order_by(Instance.version.desc())
        )
    return session.scalars(study).first()


def _announce(session: Session, quarantined_id: int, found: dict[str, object]) -> None:
    about = ("quarantined", quarantined_id)
    audit.record(session, WHO, "instance.quarantined", about=about, reason=found["kind"])
