"""Header and file → study, series and instance rows; resend, conflict and late images are decided here."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from worklist import archive, audit, clock, database, jobs
from worklist.archive import Kept
from worklist.dicom.header import InstanceHeader
from worklist.intake import contradictions, studies
from worklist.intake.identity import WrongStudy
from worklist.intake.scope import Judgement, judge
from worklist.intake.sources import Sending
from worklist.intake.studies import WHO, FirstPlace, HeldStudy
from worklist.tables import Instance, Scope, Series, Source

REPLACED = "Replaced by a later version of the same image."

Version = Row[int, int, str, str, int]
VERSIONS = (
    select(Instance.id, Instance.version, Instance.sha256, Instance.file_path, Series.study_id)
    .join(Instance.series)
    .where(Instance.sop_instance_uid == bindparam("uid"))
    .order_by(Instance.version)
)
SERIES_ID = select(Series.id).where(
    Series.study_id == bindparam("of_study"), Series.series_instance_uid == bindparam("uid")
)
NEW_SERIES = insert(Series)
NEW_INSTANCE = insert(Instance)


class Outcome(StrEnum):
    """What a received file turned out to be."""

    NEW = "new"
    RESENT = "resent"
    NEW_VERSION = "new version"


@dataclass(frozen=True)
class Registered:
    """The rows of one received file."""

    study_id: int
    instance_id: int
    outcome: Outcome


def register(
    session: Session,
    header: InstanceHeader,
    kept: Kept,
    *,
    source: Sending | Source | None,
    first_place: FirstPlace,
    is_decided: bool = False,
) -> Registered:
    """Make the rows of a kept file, and ask for its analysis.

    Parameters
    ----------
    source
        Who sent it; None for a file that was found in the archive without rows.
    first_place
        What gives a new study its place in the list; handed in, because features are blind to each other.
    is_decided
        An administrator has decided that it belongs to the study it names, whatever contradicts.

    Raises
    ------
    WrongStudy
        If the SOP Instance UID belongs to another study.
    WrongPatient
        If the image names another patient than its study.
    """
    received_at = clock.now()
    study = studies.find_or_add_study(session, header, received_at, source=source, first_place=first_place)
    versions, elsewhere = _versions(session, header, study)
    same = next((row for row in versions if row.sha256 == kept.sha256), None)
    if same is not None:
        return _note_resent(session, study, same, kept)
    if not is_decided:
        contradictions.refuse(study, header, is_known_elsewhere=bool(elsewhere))
    judgement = judge(header, source.default_body_part if source else None)
    values = _values(header, kept, judgement) | {
        "series_id": _series_id(session, study, header),
        "source_id": source.id if source else None,
        "received_at": received_at,
        "version": max([row.version for row in [*versions, *elsewhere]], default=0) + 1,
    }
    instance_id = _insert(session, values)
    if versions:
        _replace(session, study, versions, instance_id, values["version"])
    if study.content_version == 0:
        contradictions.warn_of_shared_id(session, study)
    is_image = bool(header.rows and header.columns)
    studies.note_instance(session, study, received_at, judgement, is_image=is_image)
    study.save(session)
    about = ("instance", instance_id)
    audit.record(session, WHO, "instance.received", about=about, study_id=study.id, bytes=kept.file_bytes)
    if judgement.scope is Scope.IN:
        # Its display copy is asked for after the analysis: the rank comes first, both want the processor.
        jobs.enqueue(session, jobs.ANALYSE_INSTANCE, instance_id)
    elif is_image:
        jobs.enqueue(session, jobs.WRITE_DISPLAY_COPY, instance_id)
    return Registered(study.id, instance_id, Outcome.NEW_VERSION if versions else Outcome.NEW)


# The statements of the common case go past the session's unit of work: it would cost more than the rows.


def _versions(
    session: Session, header: InstanceHeader, study: HeldStudy
) -> tuple[list[Version], list[Version]]:
    """Return the versions of this instance that are kept already: in its study, and in others."""
    rows = session.connection().execute(VERSIONS, {"uid": header.sop_instance_uid}).all()
    own = [row for row in rows if row.study_id == study.id]
    return own, [row for row in rows if row.study_id != study.id]


def _note_resent(session: Session, study: HeldStudy, same: Version, kept: Kept) -> Registered:
    """Keep one file: the older one, unless it was lost."""
    if same.file_path == kept.file_path:
        pass
    elif archive.has(same.file_path):
        database.after_commit(session, lambda: archive.remove(kept.file_path))
    else:
        moved = update(Instance).where(Instance.id == same.id).values(file_path=kept.file_path)
        session.execute(moved, execution_options={"synchronize_session": False})
    audit.record(session, WHO, "instance.resent", about=("instance", same.id), study_id=study.id)
    return Registered(study.id, same.id, Outcome.RESENT)


def _values(header: InstanceHeader, kept: Kept, judgement: Judgement) -> dict[str, Any]:
    return {
        "sop_instance_uid": header.sop_instance_uid,
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "file_path": kept.file_path,
        "file_bytes": kept.file_bytes,
        "sha256": kept.sha256,
        "instance_number": header.instance_number,
        "rows": header.rows,
        "columns": header.columns,
        "body_part_examined": header.body_part_examined,
        "view_position": header.view_position,
        "laterality": header.laterality,
        "needs_analysis": judgement.scope is Scope.IN,
        "no_analysis_reason": judgement.reason,
    }


def _series_id(session: Session, study: HeldStudy, header: InstanceHeader) -> int:
    # The study row is locked, so nobody else adds a series to it now.
    connection = session.connection()
    found: int | None = connection.scalar(SERIES_ID, {"of_study": study.id, "uid": header.series_instance_uid})
    if found is not None:
        return found
    values = {
        "study_id": study.id,
        "series_instance_uid": header.series_instance_uid,
        "modality": header.modality,
        "series_number": header.series_number,
        "description": header.series_description,
    }
    (new_id,) = connection.execute(NEW_SERIES, values).inserted_primary_key or (0,)
    return int(new_id)


def _insert(session: Session, values: dict[str, Any]) -> int:
    try:
        (new_id,) = session.connection().execute(NEW_INSTANCE, values).inserted_primary_key or (0,)
    except IntegrityError as error:
        # Only possible in another study, whose row this transaction does not hold.
        raise WrongStudy(f"Instance {values['sop_instance_uid']} arrives in two studies at once.") from error
    return int(new_id)


def _replace(
    session: Session, study: HeldStudy, versions: list[Version], instance_id: int, version: int
) -> None:
    """Let the new bytes take the place of the old ones, which are kept and said to be different."""
    older = Instance.id.in_([row.id for row in versions])
    unseen = {"needs_analysis": False, "no_analysis_reason": REPLACED}
    for changed in (
        update(Instance).where(older).values(is_current=False),
        update(Instance).where(older, Instance.needs_analysis).values(unseen),
    ):
        session.execute(changed, execution_options={"synchronize_session": False})
    studies.warn(study, "An image was sent again with other content: the newest is shown, all are kept.")
    about = ("instance", instance_id)
    audit.record(session, WHO, "instance.conflict", about=about, study_id=study.id, version=version)
