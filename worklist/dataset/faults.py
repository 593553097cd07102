"""What is wrong in a folder of labelled images: told in a sentence and counted, never silently dropped."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """The kinds, in the words under which they are counted."""

    NO_LIST = "lists that are missing"
    MALFORMED = "lines that cannot be used"
    REPEATED = "entries that come twice"
    CONTRADICTED = "labels that contradict each other"
    UNLABELLED = "images or studies without a label"
    IMAGELESS = "labels without an image"
    MISSING = "listed images that are not there"
    UNLISTED = "files that no list names"
    HIDDEN = "hidden files"
    NOT_DICOM = "files that are no usable DICOM files"
    OUT_OF_SCOPE = "images that the classifier may not judge"
    NO_PATIENT = "studies without a patient ID"
    UNREADABLE = "images that cannot be read"
    BLANK = "images that show nothing"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Parameters
    ----------
    path
        The file or folder it is about, below the folder of the data set, with slashes.
    sentence
        What is wrong with it and what was made of it; it names the path.
    """

    kind: FaultKind
    path: str
    sentence: str


Tell = Callable[[Fault], None]
"""Takes each fault as it is found. Readers demand one, so that nobody drops faults by forgetting it."""
