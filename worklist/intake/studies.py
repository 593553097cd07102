"""The study row: made once, filled in by its instances, re-opened by late images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from worklist import audit
from worklist.dicom.header import InstanceHeader
from worklist.dicom.name_words import turns
from worklist.intake.identity import Identity, doubts, is_other_patient
from worklist.intake.insertion import insert_unless_there
from worklist.intake.scope import Judgement
from worklist.intake.sources import Sending
from worklist.tables import (
    BodyPart,
    ClinicalPriority,
    ReadingState,
    Result,
    Scope,
    Source,
    Study,
    StudyName,
    Turn,
)

WHO = "receiver"
HELD = "worklist.held_studies"
"""Key of the studies that a transaction has locked already, by UID: several of its images may be theirs."""

FirstPlace = Callable[[Session, datetime, str, str], Mapping[str, int]]
"""(session, received_at, clinical_priority, study_instance_uid) → what places a study without a probability."""

# Column of the study ← attribute of the header; the first instance that has a value gives it.
_FILLED_IN = {
    "patient_id": "patient_id",
    "patient_name": "patient_name",
    "patient_name_folded": "patient_name_folded",
    "birth_date": "birth_date",
    "sex": "sex",
    "accession_number": "accession_number",
    "description": "study_description",
    "study_date": "study_date",
}
_MOST_URGENT_FIRST = tuple(ClinicalPriority)


@dataclass(slots=True)
class HeldStudy:
    """The columns of a study row that reception reads or changes; the row is locked.

    Most of what is done for an image is done to its study. The session's unit of work would cost more than
    that, so the changes are written by `save`.
    """

    id: int
    patient_id: str
    patient_name: str
    patient_name_folded: str
    birth_date: str
    sex: str
    accession_number: str
    description: str
    study_date: str
    body_part: BodyPart | None
    scope: Scope
    scope_reason: str
    last_received_at: datetime
    content_version: int
    is_complete: bool
    completion_reason: str
    warning: str
    result: Result
    result_reason: str
    reading_state: ReadingState
    is_open: bool
    turn: Turn
    read_at: datetime | None
    saved: dict[str, Any] = field(default_factory=dict)
    """The columns as they are in the database."""

    def __post_init__(self) -> None:
        self.saved = self._columns()

    def save(self, session: Session) -> None:
        """Write what has changed."""
        columns = self._columns()
        changed = {name: value for name, value in columns.items() if value != self.saved[name]}
        if changed:
            session.connection().execute(CHANGED, {"of_study": self.id, **changed})
            self.saved = columns

    def _columns(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in COLUMNS}


COLUMNS = tuple(each.name for each in fields(HeldStudy) if each.name != "saved")
LOCKED = (
    select(*(getattr(Study, name) for name in COLUMNS))
    .where(Study.study_instance_uid == bindparam("uid"))
    .with_for_update()
)
NAMED = insert(StudyName)
CHANGED = update(Study).where(Study.id == bindparam("of_study"))


def find_or_add_study(
    session: Session,
    header: InstanceHeader,
    received_at: datetime,
    *,
    source: Sending | Source | None,
    first_place: FirstPlace,
) -> HeldStudy:
    """Return the study of an instance, locked until the transaction ends."""
    held: dict[str, HeldStudy] = session.info.setdefault(HELD, {})
    study = held.get(header.study_instance_uid)
    is_new = False
    if study is None:
        study = _locked(session, header.study_instance_uid)
    if study is None:
        priority = _clinical_priority(header, source)
        place = first_place(session, received_at, priority, header.study_instance_uid)
        # Another association may bring the first image of the same study at this moment.
        values = _first_values(header, received_at, priority, place)
        is_new = insert_unless_there(session, Study, values) is not None
        study = _locked(session, header.study_instance_uid)
    if study is None:
        raise LookupError("The study that was just inserted is gone.")
    held[header.study_instance_uid] = study
    _fill_in(study, header)
    if is_new or study.patient_name_folded != study.saved["patient_name_folded"]:
        _note_name(session, study)
    return study


def _note_name(session: Session, study: HeldStudy) -> None:
    """Let a search find the study by each word of its patient's name."""
    rows = [{"study_id": study.id, "words": words} for words in turns(study.patient_name_folded)]
    if rows:
        session.connection().execute(NAMED, rows)


def _locked(session: Session, study_instance_uid: str) -> HeldStudy | None:
    row = session.connection().execute(LOCKED, {"uid": study_instance_uid}).one_or_none()
    return None if row is None else HeldStudy(*row)


def note_instance(
    session: Session, study: HeldStudy, received_at: datetime, judgement: Judgement, *, is_image: bool
) -> None:
    """Bring the study in line with one more of its instances; an image re-opens what was complete or read."""
    study.content_version += 1
    study.last_received_at = received_at
    is_judged = study.reading_state == ReadingState.READ or study.turn is not Turn.FIRST
    if is_image and (study.is_complete or is_judged):
        _reopen(session, study)
    if judgement.scope is Scope.IN:
        _take_into_scope(study, judgement)
    elif study.scope is not Scope.IN and (is_image or not study.scope_reason):
        study.scope, study.scope_reason = judgement.scope, judgement.reason
        study.result, study.result_reason = Result.OUT_OF_SCOPE, judgement.reason


def _reopen(session: Session, study: HeldStudy) -> None:
    if study.reading_state == ReadingState.READ or study.turn is not Turn.FIRST:
        warn(study, "An image arrived after this study was read, so it is open again.")
    if study.reading_state == ReadingState.READ:
        study.reading_state, study.is_open, study.read_at = ReadingState.UNREAD, True, None
    study.turn = Turn.FIRST
    study.is_complete, study.completion_reason = False, ""
    about = ("study", study.id)
    audit.record(session, WHO, "study.reopened", about=about, content_version=study.content_version)


def _take_into_scope(study: HeldStudy, judgement: Judgement) -> None:
    """One image in scope puts the whole study in scope."""
    if study.scope is not Scope.IN:
        study.scope, study.scope_reason, study.body_part = Scope.IN, "", judgement.body_part
        study.result, study.result_reason = Result.WAITING, ""
    elif study.body_part is not judgement.body_part:
        warn(study, f"Images of {study.body_part} and {judgement.body_part} are in one study.")


def warn(study: HeldStudy, sentence: str) -> None:
    """Add a sentence to what a reader is warned of, once."""
    if sentence not in study.warning:
        study.warning = f"{study.warning} {sentence}".strip()


def _first_values(
    header: InstanceHeader, received_at: datetime, priority: ClinicalPriority, place: Mapping[str, int]
) -> dict[str, object]:
    return {
        "study_instance_uid": header.study_instance_uid,
        "clinical_priority": priority,
        "received_at": received_at,
        "last_received_at": received_at,
        **place,
        **{column: getattr(header, attribute) for column, attribute in _FILLED_IN.items()},
    }


def _clinical_priority(header: InstanceHeader, source: Sending | Source | None) -> ClinicalPriority:
    """Return the more urgent of what the header and the source say."""
    said = {header.clinical_priority, source.clinical_priority if source else ""}
    return next((priority for priority in _MOST_URGENT_FIRST if priority in said), ClinicalPriority.ROUTINE)


def identity_of(said: HeldStudy | InstanceHeader) -> Identity:
    """Return what a study or an image says of its patient."""
    return Identity(said.patient_id, said.patient_name_folded, said.birth_date, said.accession_number)


def _fill_in(study: HeldStudy, header: InstanceHeader) -> None:
    """Take over what the study does not know yet; what it knows is never overwritten."""
    known, said = identity_of(study), identity_of(header)
    for sentence in doubts(known, said):
        warn(study, sentence)
    # An image of another patient, filed by an administrator, says nothing of the patient of the study.
    if not is_other_patient(known, said):
        for column, attribute in _FILLED_IN.items():
            if not getattr(study, column):
                setattr(study, column, getattr(header, attribute))
    for sentence in header.warnings:
        warn(study, sentence)
