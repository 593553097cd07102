"""Look for contradictions between an image and the rows that are there; ``identity.py`` judges them."""

from collections.abc import Iterable

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from worklist.dicom.header import InstanceHeader
from worklist.intake import identity, studies
from worklist.intake.identity import Identity, WrongPatient, WrongStudy
from worklist.intake.studies import HeldStudy, identity_of
from worklist.tables import Study

MOST_COMPARED = 20
"""Studies of the same patient ID that a new study is compared with, the newest first."""


OF_SAME_ID = (
    select(Study.id, Study.patient_id, Study.patient_name_folded, Study.birth_date)
    .where(Study.patient_id == bindparam("said"), Study.id != bindparam("own"))
    .order_by(Study.id.desc())
    .limit(MOST_COMPARED)
)


def refuse(study: HeldStudy, header: InstanceHeader, *, is_known_elsewhere: bool) -> None:
    """Make sure that an image may stand in its study; messages hold no patient data.

    Raises
    ------
    WrongStudy
        If the image is known in another study.
    WrongPatient
        If it names another patient than its study.
    """
    if is_known_elsewhere:
        raise WrongStudy(f"Instance {header.sop_instance_uid} is known already, in another study.")
    if identity.is_other_patient(identity_of(study), identity_of(header)):
        raise WrongPatient(f"Instance {header.sop_instance_uid} names another patient than its study.")


def warn_of_shared_id(session: Session, study: HeldStudy) -> None:
    """Warn on a new study and on those of the same patient ID that look like another patient's."""
    if not study.patient_id:
        return
    of_others = _shared_with(session, study)
    if of_others:
        studies.warn(study, identity.SHARED_ID)
        warn(session, of_others, identity.SHARED_ID)


def warn(session: Session, study_ids: Iterable[int], sentence: str) -> None:
    """Add a sentence to what readers of studies are warned of, once each."""
    # In one order, so that two transactions that warn each other's studies cannot wait for each other.
    held = {study.id: study for study in session.info.get(studies.HELD, {}).values()}
    for study_id in sorted(study_ids):
        if study_id in held:
            studies.warn(held[study_id], sentence)
            held[study_id].save(session)
            continue
        session.execute(
            update(Study)
            .where(Study.id == study_id, ~Study.warning.contains(sentence))
            .values(warning=func.trim(Study.warning + " " + sentence))
            .execution_options(synchronize_session=False)
        )


def _shared_with(session: Session, study: HeldStudy) -> list[int]:
    # Past the session's unit of work: a new study says from its first row who its patient is.
    others = session.connection().execute(OF_SAME_ID, {"said": study.patient_id, "own": study.id})
    own = identity_of(study)
    return [study_id for study_id, *said in others if identity.share_an_id(own, Identity(*said))]
