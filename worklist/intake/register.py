"""Header and file → study, series and instance rows; resend, conflict and late images are decided here."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from worklist import archive, audit, clock, database, jobs
from worklist.archive import Kept
from worklist.dicom.header import InstanceHeader
from worklist.intake import contradictions, studies
from worklist.intake.identity import WrongStudy
from worklist.intake.scope import Judgement, judge
from worklist.intake.studies import WHO, FirstRankKey
from worklist.tables import Instance, Scope, Series, Source, Study

REPLACED = "Replaced by a later version of the same image."


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
    source: Source | None,
    first_rank_key: FirstRankKey,
    is_decided: bool = False,
) -> Registered:
    """Make the rows of a kept file, and ask for its analysis.

    Parameters
    ----------
    source
        Who sent it; None for a file that was found in the archive without rows.
    first_rank_key
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
    study = studies.find_or_add_study(
        session, header, received_at, source=source, first_rank_key=first_rank_key
    )
    versions, elsewhere = _versions(session, header, study)
    same = next((row for row in versions if row.sha256 == kept.sha256), None)
    if same is not None:
        return _note_resent(session, study, same, kept)
    if not is_decided:
        contradictions.refuse(study, header, is_known_elsewhere=bool(elsewhere))
    judgement = judge(header, source.default_body_part if source else None)
    instance = _row(header, kept, judgement)
    instance.series_id = _series_id(session, study, header)
    instance.source_id = source.id if source else None
    instance.received_at = received_at
    instance.version = max([row.version for row in [*versions, *elsewhere]], default=0) + 1
    _insert(session, instance)
    if versions:
        _replace(session, study, versions, instance)
    if study.content_version == 0:
        contradictions.warn_of_shared_id(session, study)
    studies.note_instance(session, study, instance, judgement)
    _announce(session, study, instance)
    return Registered(study.id, instance.id, Outcome.NEW_VERSION if versions else Outcome.NEW)


def _versions(session: Session, header: InstanceHeader, study: Study) -> tuple[list[Instance], list[Instance]]:
    """Return the versions of this instance that are kept already: in its study, and in others."""
    rows = session.execute(
        select(Instance, Series.study_id)
        .join(Instance.series)
        .where(Instance.sop_instance_uid == header.sop_instance_uid)
        .order_by(Instance.version)
    ).all()
    own = [instance for instance, study_id in rows if study_id == study.id]
    return own, [instance for instance, study_id in rows if study_id != study.id]


def _note_resent(session: Session, study: Study, same: Instance, kept: Kept) -> Registered:
    """Keep one file: the older one, unless it was lost."""
    if same.file_path == kept.file_path:
        pass
    elif archive.has(same.file_path):
        database.after_commit(session, lambda: archive.remove(kept.file_path))
    else:
        same.file_path = kept.file_path
    audit.record(session, WHO, "instance.resent", about=("instance", same.id), study_id=study.id)
    return Registered(study.id, same.id, Outcome.RESENT)


def _row(header: InstanceHeader, kept: Kept, judgement: Judgement) -> Instance:
    return Instance(
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        file_path=kept.file_path,
        file_bytes=kept.file_bytes,
        sha256=kept.sha256,
        instance_number=header.instance_number,
        rows=header.rows,
        columns=header.columns,
        body_part_examined=header.body_part_examined,
        view_position=header.view_position,
        laterality=header.laterality,
        needs_analysis=judgement.scope is Scope.IN,
        no_analysis_reason=judgement.reason,
    )


def _series_id(session: Session, study: Study, header: InstanceHeader) -> int:
    # The study row is locked, so nobody else adds a series to it now.
    found = session.scalars(
        select(Series.id).where(
            Series.study_id == study.id, Series.series_instance_uid == header.series_instance_uid
        )
    ).one_or_none()
    if found is not None:
        return found
    series = Series(
        study_id=study.id,
        series_instance_uid=header.series_instance_uid,
        modality=header.modality,
        series_number=header.series_number,
        description=header.series_description,
    )
    session.add(series)
    session.flush()
    return series.id


def _insert(session: Session, instance: Instance) -> None:
    session.add(instance)
    try:
        session.flush()
    except IntegrityError as error:
        # Only possible in another study, whose row this transaction does not hold.
        raise WrongStudy(f"Instance {instance.sop_instance_uid} arrives in two studies at once.") from error


def _replace(session: Session, study: Study, versions: list[Instance], instance: Instance) -> None:
    """Let the new bytes take the place of the old ones, which are kept and said to be different."""
    for older in versions:
        older.is_current = False
        if older.needs_analysis:
            older.needs_analysis, older.no_analysis_reason = False, REPLACED
    studies.warn(study, "An image was sent again with other content: the newest is shown, all are kept.")
    about = ("instance", instance.id)
    audit.record(session, WHO, "instance.conflict", about=about, study_id=study.id, version=instance.version)


def _announce(session: Session, study: Study, instance: Instance) -> None:
    about = ("instance", instance.id)
    audit.record(session, WHO, "instance.received", about=about, study_id=study.id, bytes=instance.file_bytes)
    if instance.needs_analysis:
        # Its display copy is asked for after the analysis: the rank comes first, both want the processor.
        jobs.enqueue(session, jobs.ANALYSE_INSTANCE, instance.id)
    elif instance.rows and instance.columns:
        jobs.enqueue(session, jobs.WRITE_DISPLAY_COPY, instance.id)
