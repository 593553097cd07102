"""What the paths in MURA's lists say: split, body part, patient, study and label."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from worklist.dataset.record import Split
from worklist.tables import BodyPart

# The outermost folder is called whatever the copy is called now, so nothing is asked of it.
_STUDY = rf"(train|valid|test)/XR_({'|'.join(BodyPart)})/(patient[0-9]+)/study[0-9]+_(positive|negative)"
_STUDY_PATH = re.compile(rf"(?:.*/)?(?P<study>{_STUDY})/?(?P<file>)")
_IMAGE_PATH = re.compile(rf"(?:.*/)?(?P<study>{_STUDY})/(?P<file>[^/]+)")
_FORM = "SPLIT/XR_PART/patientNUMBER/studyNUMBER_positive or _negative"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list, or one file where there is no list.

    Parameters
    ----------
    file
        Name of the list.
    where
        The line in words.
    """

    file: str
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """What a path says.

    Parameters
    ----------
    study
        Path of the study below the folder of the data set, without a slash at its end.
    name
        The same of the image; empty if the path is that of a study.
    is_abnormal
        What the name of the study's folder says.
    """

    study: str
    name: str
    split: Split
    body_part: BodyPart
    patient: str
    is_abnormal: bool


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a list; blank ones, quotes, byte order marks and backslashes say nothing.

    Bytes that are no UTF-8 are kept as replacement characters, so that the line is judged and told.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if text := line.replace('"', "").replace("\\", "/").strip():
                yield Line(path.name, f"Line {number} of {path.name}", text)


def study_place(text: str, split: Split) -> Place | str:
    """Return what the path of a study says, or what is wrong with it."""
    return _place(_STUDY_PATH, text, split)


def image_place(text: str, split: Split) -> Place | str:
    """Return what the path of an image says, or what is wrong with it."""
    return _place(_IMAGE_PATH, text, split)


def _place(pattern: re.Pattern[str], text: str, split: Split) -> Place | str:
    found = pattern.fullmatch(text)
    if found is None:
        return f"the path {text!r}, which is not of the form {_FORM}"
    study, named, part, patient, word, file = found.groups()
    if named != split:
        return f"the path {text!r}, which is not in {split}"
    name = f"{study}/{file}" if file else ""
    return Place(study, name, split, BodyPart(part), patient, word == "positive")
