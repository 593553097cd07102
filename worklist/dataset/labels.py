"""The table of labels beside DICOM files: a CSV file with a header.

    study_instance_uid,label,body_part,split
    1.2.826.0.1.3680043.8.498.1,abnormal,WRIST,train

One column says what a row is about, ``label`` what a reader said of it; the other two may be left out.
"""

import csv
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TextIO, TypeVar

from worklist.dataset.faults import Fault, FaultKind, Tell
from worklist.dataset.record import Split
from worklist.errors import Invalid
from worklist.tables import BodyPart

LABELS = {"0": False, "normal": False, "1": True, "abnormal": True}
_WORDS = {True: "abnormal", False: "normal"}
_Term = TypeVar("_Term", bound=StrEnum)


class Key(StrEnum):
    """The column that says what a row is about; the first that a table has is taken."""

    PATH = "path"
    SOP_INSTANCE_UID = "sop_instance_uid"
    STUDY_INSTANCE_UID = "study_instance_uid"
    ACCESSION_NUMBER = "accession_number"


@dataclass(frozen=True, slots=True)
class Label:
    """What one row says.

    Parameters
    ----------
    line
        Number of its line, from 1.
    body_part
        None if the table does not say; the DICOM file then does.
    """

    line: int
    is_abnormal: bool
    body_part: BodyPart | None
    split: Split


@dataclass(frozen=True)
class Labels:
    """A table that has been read: its rows by what they are about."""

    path: Path
    key: Key
    rows: dict[str, Label] = field(default_factory=dict)

    def shown(self, about: str) -> str:
        """Return what a row is about as it may be printed: an accession number may not leave the site."""
        return "this accession number" if self.key is Key.ACCESSION_NUMBER else about


def read_labels(path: Path, tell: Tell) -> Labels:
    """Read a table of labels.

    Parameters
    ----------
    tell
        Takes each row that cannot be used or comes twice.

    Raises
    ------
    Invalid
        If it cannot be read, or its header lacks a column without which nothing can be said.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path, file, tell)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"The labels {path} cannot be read: {error}.") from error


def _read(path: Path, file: TextIO, tell: Tell) -> Labels:
    header = file.readline()
    # Spreadsheets write semicolons where the comma divides decimals.
    delimiter = next((sign for sign in ",;\t" if sign in header), ",")
    columns = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
    labels = Labels(path, _key(path, columns))
    reader = csv.reader(file, delimiter=delimiter)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            row = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
            # The header was read before, and a cell in quotes may span lines.
            _take(labels, reader.line_num + 1, row, tell)
    return labels


def _key(path: Path, columns: list[str]) -> Key:
    key = next((key for key in Key if key in columns), None)
    if key is None or "label" not in columns:
        shown = ", ".join(columns) or "nothing"
        rule = f"a column 'label' and one of {', '.join(Key)} are needed"
        raise Invalid(f"The labels {path} have the columns {shown}; {rule}.")
    return key


def _take(labels: Labels, line: int, row: dict[str, str], tell: Tell) -> None:
    """Add a row to the table, or tell why not."""
    about = row.get(labels.key, "")
    if labels.key is Key.PATH:
        about = about.replace("\\", "/")
    where, name = f"Line {line} of {labels.path.name}", labels.path.name
    try:
        label = _label(line, about, labels.key, row)
    except Invalid as error:
        tell(Fault(FaultKind.MALFORMED, name, f"{where} has {error}"))
        return
    first, shown = labels.rows.setdefault(about, label), labels.shown(about)
    if first is label:
        return
    if first.is_abnormal == label.is_abnormal:
        tell(Fault(FaultKind.REPEATED, name, f"{where} is about {shown}, as line {first.line} is."))
    else:
        words = f"{where} says that {shown} is {_WORDS[label.is_abnormal]}, line {first.line} says"
        sentence = f"{words} {_WORDS[first.is_abnormal]}; the earlier one is taken."
        tell(Fault(FaultKind.CONTRADICTED, name, sentence))


def _label(line: int, about: str, key: Key, row: dict[str, str]) -> Label:
    """Check one row.

    Raises
    ------
    Invalid
        If a value breaks its rule.
    """
    if not about:
        raise Invalid(f"no {key}; it says what the row is about.")
    word = row.get("label", "").lower()
    if word not in LABELS:
        raise Invalid(f"the label {word!r}; {', '.join(LABELS)} are allowed.")
    part, split = row.get("body_part", "").upper(), row.get("split", "").lower()
    return Label(
        line,
        LABELS[word],
        _term(BodyPart, part, "body part") if part else None,
        _term(Split, split, "split") if split else Split.UNSPLIT,
    )


def _term(terms: type[_Term], value: str, name: str) -> _Term:
    try:
        return terms(value)
    except ValueError:
        raise Invalid(f"the {name} {value!r}; {', '.join(terms)} are allowed.") from None
