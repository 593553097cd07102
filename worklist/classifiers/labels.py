"""Labels from verdicts: what a study is, by what its readers say today."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from worklist.reading.turns import stands
from worklist.tables import Attention, BodyPart, Opinion, Study, Verdict

RULE = (
    "Of each reader the last verdict that stands counts; unsure counts for neither side; a study is what most "
    "of its readers say, and is left out where as many say the one as the other."
)


@dataclass(frozen=True, slots=True)
class StudyLabel:
    """What the readers of one study say together.

    Parameters
    ----------
    patient, study
        Digests, as `worklist.dataset` makes them of DICOM files.
    is_abnormal
        None where the readers are as many on the one side as on the other, or all are unsure.
    readers
        How many said normal or abnormal.
    is_unanimous
        All of them say the same.
    is_flagged
        Whether the classifier flags it today; None without a probability.
    given_at
        Of the newest verdict.
    """

    study_id: int
    body_part: BodyPart
    patient: str
    study: str
    is_abnormal: bool | None
    readers: int
    is_unanimous: bool
    is_flagged: bool | None
    given_at: datetime


def study_labels(session: Session) -> Iterator[StudyLabel]:
    """Yield a label for each study of a body part of the classifier that has a standing verdict, by study."""
    for _, rows in groupby(session.execute(_standing()), lambda row: row.study_id):
        yield _label(list(rows))


def digest(identity: str) -> str:
    """Return what images of one patient, or of one study, share in a snapshot: no ID can be read off it."""
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _standing() -> Any:
    return (
        select(
            Verdict.study_id,
            Verdict.user_id,
            Verdict.opinion,
            Verdict.given_at,
            Study.body_part,
            Study.patient_id,
            Study.study_instance_uid,
            Study.attention,
            Study.study_probability,
        )
        .join(Study, Study.id == Verdict.study_id)
        .where(stands(), Study.body_part.is_not(None))
        .order_by(Verdict.study_id, Verdict.id)
    )


def _label(rows: list[Row[Any]]) -> StudyLabel:
    first = rows[0]
    opinions = _opinions(rows)
    abnormal = sum(opinion is Opinion.ABNORMAL for opinion in opinions)
    normal = len(opinions) - abnormal
    return StudyLabel(
        study_id=first.study_id,
        body_part=first.body_part,
        patient=digest(first.patient_id or first.study_instance_uid),
        study=digest(first.study_instance_uid),
        is_abnormal=None if abnormal == normal else abnormal > normal,
        readers=len(opinions),
        is_unanimous=len(set(opinions)) == 1,
        is_flagged=None if first.study_probability is None else first.attention is Attention.FLAGGED,
        given_at=max(row.given_at for row in rows),
    )


def _opinions(rows: Iterable[Row[Any]]) -> list[Opinion]:
    """Return the last word of each reader, without those who are unsure."""
    last: dict[int, Opinion] = {row.user_id: row.opinion for row in rows}
    return [opinion for opinion in last.values() if opinion is not Opinion.UNSURE]
