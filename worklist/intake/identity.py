"""Do an image and what is known belong to one patient? Pure: what contradicts, and how badly.

A name alone never decides: it is corrected, changed by marriage, and written in three scripts. Two names
contradict each other only if they have no word in common.
"""

import re
from dataclasses import dataclass

from worklist.errors import Conflict
from worklist.tables import QuarantineKind

OTHER_IDS = "The images of this study name different patient IDs."
OTHER_NAMES = "The images of this study name different patients."
OTHER_BIRTH_DATES = "The images of this study name different birth dates."
OTHER_ACCESSION_NUMBERS = "The images of this study name different accession numbers."
SHARED_ID = "Another study has this patient ID with another name or birth date."


class SetAside(Conflict):
    """A file contradicts what is known, and is kept apart until an administrator has decided."""

    kind: QuarantineKind


class WrongStudy(SetAside):
    """The SOP Instance UID is known, in another study; an image is never moved between studies."""

    kind = QuarantineKind.OTHER_STUDY


class WrongPatient(SetAside):
    """The study is known, of another patient."""

    kind = QuarantineKind.OTHER_PATIENT


@dataclass(frozen=True)
class Identity:
    """What an image or a study says of its patient; empty where it says nothing."""

    patient_id: str
    patient_name_folded: str
    birth_date: str
    accession_number: str = ""


def is_other_patient(known: Identity, said: Identity) -> bool:
    """Say if an image must not stand in a study without somebody having looked at it.

    Its patient ID differs, or its name and its birth date both do.
    """
    names_and_dates = _names_differ(known, said) and _dates_differ(known, said)
    return _differ(known.patient_id, said.patient_id) or names_and_dates


def doubts(known: Identity, said: Identity) -> list[str]:
    """Return what a reader of a study should know of an image in it, in sentences without patient data."""
    found = {
        OTHER_IDS: _differ(known.patient_id, said.patient_id),
        OTHER_NAMES: _names_differ(known, said),
        OTHER_BIRTH_DATES: _dates_differ(known, said),
        OTHER_ACCESSION_NUMBERS: _differ(known.accession_number, said.accession_number),
    }
    return [sentence for sentence, is_so in found.items() if is_so]


def share_an_id(one: Identity, other: Identity) -> bool:
    """Say if two studies of one patient ID look like two patients: another name, or another birth date."""
    return one.patient_id == other.patient_id and (_names_differ(one, other) or _dates_differ(one, other))


def _differ(known: str, said: str) -> bool:
    return bool(known and said) and known != said


def _names_differ(known: Identity, said: Identity) -> bool:
    words, others = _words(known.patient_name_folded), _words(said.patient_name_folded)
    return bool(words and others) and not words & others


def _words(name_folded: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", name_folded))


def _dates_differ(known: Identity, said: Identity) -> bool:
    # What is no date says nothing: some modalities send 00000000 or an age.
    return all(_is_date(text) for text in (known.birth_date, said.birth_date)) and (
        known.birth_date != said.birth_date
    )


def _is_date(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{8}", text)) and text[:4] > "1850"
