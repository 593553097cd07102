"""What the rows of study, series and instance need of a data set, tolerant of what modalities really send.

Only the UIDs must be right; every other value is cleaned, cut to the width of its column, and said so.

References
----------
PS3.3 C.7 and C.8.11 (modules), PS3.5 6.1 (character sets), PS3.5 9.1 (UIDs).
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worklist.dicom.character_sets import declared_encodings, is_plain, printable, text_of
from worklist.dicom.elements import Found, Wanted, read_elements
from worklist.errors import Invalid

CHARACTER_SET = 0x00080005
ANATOMIC_REGION = 0x00082218
CODE_VALUE = 0x00080100
LARGEST_INTEGER = 2**31 - 1
# Leading zeros are forbidden and sent all the same; letters and slashes never.
UID = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)


@dataclass(frozen=True)
class _Field:
    """One attribute: its tag, its keyword, and how many characters a row takes."""

    tag: int
    keyword: str
    width: int = 64


UIDS = {
    "sop_class_uid": _Field(0x00080016, "SOPClassUID"),
    "sop_instance_uid": _Field(0x00080018, "SOPInstanceUID"),
    "study_instance_uid": _Field(0x0020000D, "StudyInstanceUID"),
    "series_instance_uid": _Field(0x0020000E, "SeriesInstanceUID"),
}
TEXTS = {
    "accession_number": _Field(0x00080050, "AccessionNumber", 16),
    "study_description": _Field(0x00081030, "StudyDescription"),
    "series_description": _Field(0x0008103E, "SeriesDescription"),
    "patient_name": _Field(0x00100010, "PatientName", 324),
    "patient_id": _Field(0x00100020, "PatientID"),
    "protocol_name": _Field(0x00181030, "ProtocolName"),
}
CODES = {
    "modality": _Field(0x00080060, "Modality", 16),
    "sex": _Field(0x00100040, "PatientSex", 16),
    "body_part_examined": _Field(0x00180015, "BodyPartExamined", 32),
    "view_position": _Field(0x00185101, "ViewPosition", 16),
    "clinical_priority": _Field(0x00401003, "RequestedProcedurePriority", 16),
}
DATES = {
    "study_date": _Field(0x00080020, "StudyDate", 8),
    "birth_date": _Field(0x00100030, "PatientBirthDate", 8),
}
INTEGERS = {
    "series_number": _Field(0x00200011, "SeriesNumber"),
    "instance_number": _Field(0x00200013, "InstanceNumber"),
    "number_of_frames": _Field(0x00280008, "NumberOfFrames"),
}
BINARIES = {"rows": _Field(0x00280010, "Rows"), "columns": _Field(0x00280011, "Columns")}
LATERALITIES = (0x00200062, 0x00200060)

_FIELDS = [*UIDS.values(), *TEXTS.values(), *CODES.values(), *DATES.values(), *INTEGERS.values()]
WANTED = Wanted(
    tags=frozenset(field.tag for field in [*_FIELDS, *BINARIES.values()]) | {CHARACTER_SET, *LATERALITIES},
    required=frozenset(field.tag for field in UIDS.values()),
    enter=frozenset({ANATOMIC_REGION}),
)


@dataclass(frozen=True)
class InstanceHeader:
    """The header of one instance, every text ready for its column.

    Attributes
    ----------
    patient_id : str
        Several values stay joined with a backslash.
    patient_name_folded : str
        Upper case, accents folded, ``^`` kept: what a search compares with.
    body_part_examined : str
        (0018,0015), upper case.
    anatomic_region : str
        Code value of the first item of Anatomic Region Sequence (0008,2218), or empty.
    laterality : str
        Image Laterality (0020,0062), else Laterality (0020,0060): one letter or empty.
    clinical_priority : str
        Requested Procedure Priority (0040,1003), which a few modalities copy from the order; mostly empty.
    lacks_character_set : bool
        A text beyond ASCII comes in no known character set, so that it was guessed or taken from the fallback.
    warnings : tuple of str
        What was amiss, in sentences without patient data.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    patient_id: str = ""
    patient_name: str = ""
    patient_name_folded: str = ""
    birth_date: str = ""
    sex: str = ""
    accession_number: str = ""
    study_date: str = ""
    study_description: str = ""
    modality: str = ""
    series_number: int | None = None
    series_description: str = ""
    protocol_name: str = ""
    instance_number: int | None = None
    number_of_frames: int | None = None
    rows: int | None = None
    columns: int | None = None
    body_part_examined: str = ""
    anatomic_region: str = ""
    view_position: str = ""
    laterality: str = ""
    clinical_priority: str = ""
    lacks_character_set: bool = False
    warnings: tuple[str, ...] = ()


def read_header(file: Path | bytearray, character_set: str = "") -> InstanceHeader:
    """Read the header of a DICOM file, never its pixels.

    Parameters
    ----------
    file
        Where it is, or its content.
    character_set
        A term of Specific Character Set (0008,0005) for a file that names none, or none that is known.

    Raises
    ------
    Invalid
        If it is no DICOM file, has no usable UIDs, or more elements than can be looked at.
    """
    reader = _Reader(read_elements(file, WANTED), character_set)
    values: dict[str, Any] = {name: reader.uid(field) for name, field in UIDS.items()}
    values |= {name: reader.text(field) for name, field in TEXTS.items()}
    values |= {name: reader.code(field) for name, field in CODES.items()}
    values |= {name: reader.date(field) for name, field in DATES.items()}
    values |= {name: reader.integer(field.tag) for name, field in INTEGERS.items()}
    values |= {name: reader.binary(field.tag) for name, field in BINARIES.items()}
    return InstanceHeader(
        **values,
        transfer_syntax_uid=reader.found.transfer_syntax_uid,
        patient_name_folded=folded(values["patient_name"])[:324],
        anatomic_region=reader.region(),
        laterality=reader.laterality(),
        lacks_character_set=reader.lacks_character_set(),
        warnings=reader.all_warnings(),
    )


def folded(text: str) -> str:
    """Return a name as it is compared in a search: upper case, without accents."""
    letters = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter)).upper()
    # A name in ideographs alone begins with the delimiter of its empty first group (PS3.5 6.2.1).
    return plain.lstrip("=^ ")


class _Reader:
    """Turns raw values into texts and numbers, and collects what was amiss."""

    def __init__(self, found: Found, fallback: str = "") -> None:
        self.found = found
        self._fallback = fallback
        self._warnings: list[str] = []
        self._declared = declared_encodings(found.values.get(CHARACTER_SET, b""))

    def lacks_character_set(self) -> bool:
        """Say if a text beyond ASCII comes in no known character set."""
        return not self._declared and not all(is_plain(self._raw(field.tag)) for field in TEXTS.values())

    def all_warnings(self) -> tuple[str, ...]:
        truncated = ("The file is shorter than its elements say.",) if self.found.is_truncated else ()
        return (*truncated, *self._warnings)

    def uid(self, field: _Field) -> str:
        # Only the padding goes: a UID with a line break in it would become another one.
        value = self._raw(field.tag).decode("ascii", "replace").strip("\0 ")
        name = f"({field.tag >> 16:04X},{field.tag & 0xFFFF:04X}) {field.keyword}"
        if not value:
            raise Invalid(f"{name} is missing or empty.")
        if len(value) > field.width or not UID.fullmatch(value):
            raise Invalid(f"{name} is not a UID.")
        return value

    def text(self, field: _Field) -> str:
        return self._cut(printable(text_of(self._raw(field.tag), self._declared, self._fallback)), field)

    def code(self, field: _Field) -> str:
        return self._cut(printable(self._plain(field.tag)).upper(), field)

    def date(self, field: _Field) -> str:
        # Until 1993 dates were written 1993.07.15.
        return self._cut(self._plain(field.tag).replace(".", ""), field)

    def integer(self, tag: int) -> int | None:
        value = self._plain(tag).split("\\")[0].strip()
        if not re.fullmatch(r"[+-]?[0-9]{1,12}", value, re.ASCII):
            return None
        number = int(value)
        return number if abs(number) <= LARGEST_INTEGER else None

    def binary(self, tag: int) -> int | None:
        raw = self._raw(tag)
        return int.from_bytes(raw[:2], "big" if self.found.is_big_endian else "little") if raw else None

    def region(self) -> str:
        raw = self.found.codes.get((ANATOMIC_REGION, CODE_VALUE), b"")
        return printable(raw.decode("ascii", "replace"))[:16]

    def laterality(self) -> str:
        values = (self._plain(tag)[:1].upper() for tag in LATERALITIES)
        return next((value for value in values if value in {"L", "R", "B", "U"}), "")

    def _raw(self, tag: int) -> bytes:
        return self.found.values.get(tag, b"")

    def _plain(self, tag: int) -> str:
        return printable(self._raw(tag).decode("ascii", "replace"))

    def _cut(self, value: str, field: _Field) -> str:
        if len(value) > field.width:
            self._warnings.append(f"{field.keyword} was longer than {field.width} characters and was cut.")
        return value[: field.width].rstrip()
