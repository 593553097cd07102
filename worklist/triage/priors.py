"""Other studies of the same patient, to be looked at beside the one that is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from worklist.errors import NotFound
from worklist.tables import BodyPart, Opinion, ReadingState, Study, Verdict

MOST = 20


@dataclass(frozen=True)
class Prior:
    """Another study of the patient.

    Parameters
    ----------
    study_date
        As DICOM writes it, YYYYMMDD; empty if the images do not say.
    opinion
        What its reading says today; None while it is not read.
    """

    study_id: int
    study_date: str
    received_at: datetime
    body_part: BodyPart | None
    description: str
    reading_state: ReadingState
    opinion: Opinion | None


def priors(session: Session, study_id: int) -> Sequence[Prior]:
    """Return other studies of the patient, the newest first; none if there is no patient ID.

    Those with another date of birth are left out: the ID may have been given twice.
    """
    study = session.get_one(Study, study_id)
    if not study.patient_id:
        return []
    later = aliased(Verdict)
    rows = session.execute(
        select(Study, Verdict.opinion)
        .outerjoin(Verdict, (Verdict.study_id == Study.id) & Verdict.retracted_at.is_(None))
        .outerjoin(later, later.replaces_id == Verdict.id)
        .where(Study.patient_id == study.patient_id, Study.id != study_id, later.id.is_(None))
        .order_by(Study.study_date.desc(), Study.received_at.desc(), Verdict.id.desc())
        .limit(MOST)
    )
    found: dict[int, Prior] = {}
    for other, opinion in rows:
        if "" in (study.birth_date, other.birth_date) or study.birth_date == other.birth_date:
            found.setdefault(other.id, _prior(other, opinion))
    return list(found.values())


def prior(session: Session, study_id: int, prior_id: int) -> Prior:
    """Return one of them.

    Raises
    ------
    NotFound
        If it is no study of the same patient.
    """
    found = next((one for one in priors(session, study_id) if one.study_id == prior_id), None)
    if found is None:
        raise NotFound("There is no such other study of this patient.")
    return found


def _prior(study: Study, opinion: Opinion | None) -> Prior:
    return Prior(
        study_id=study.id,
        study_date=study.study_date,
        received_at=study.received_at,
        body_part=study.body_part,
        description=study.description,
        reading_state=study.reading_state,
        # Whoever may become its second reader must not learn the first one's opinion here.
        opinion=opinion if study.reading_state is ReadingState.READ else None,
    )
