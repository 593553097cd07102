"""A folder of DICOM files, however deep, beside a table of labels.

Only headers are read. Which images the classifier may judge, and as which body part, is decided by the same
rules as for received ones; the caller hands them in, since they belong to reception.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from worklist.dataset.faults import Fault, FaultKind, Tell
from worklist.dataset.labels import Key, Label, Labels, read_labels
from worklist.dataset.record import LabelledImage
from worklist.dicom.header import InstanceHeader, read_header
from worklist.errors import Invalid
from worklist.tables import BodyPart

LABELS_NAME = "labels.csv"
"""The table of labels, where no other is named."""


class Judgement(Protocol):
    """What the rules of reception say of an image; ``worklist.intake.scope.Judgement`` is one."""

    @property
    def body_part(self) -> BodyPart | None:
        """The body part as which it may be judged, or None."""

    @property
    def reason(self) -> str:
        """Why it may not be judged, in a sentence."""


Judge = Callable[[InstanceHeader], Judgement]


def images(folder: Path, table: Path, judge: Judge, tell: Tell) -> Iterator[LabelledImage]:
    """Yield every labelled image that the classifier may judge, in the order of the paths.

    Parameters
    ----------
    table
        The table of labels, see `worklist.dataset.labels`.
    judge
        ``worklist.intake.scope.judge``. A body part in the table stands for that of the file.
    tell
        Takes each fault.

    Raises
    ------
    Invalid
        If the table cannot be read.
    """
    yield from _Reader(folder, read_labels(table, tell), judge, tell).images()


class _Reader:
    """Reads the headers of a folder against the table of labels."""

    def __init__(self, folder: Path, labels: Labels, judge: Judge, tell: Tell) -> None:
        self._folder, self._labels, self._judge, self._tell = folder, labels, judge, tell
        self._seen: dict[str, str] = {}
        self._without_patient: set[str] = set()

    def images(self) -> Iterator[LabelledImage]:
        """Yield the images, then tell the labels that none of them has."""
        used: set[str] = set()
        for path in self._files():
            name = path.relative_to(self._folder).as_posix()
            header = self._header(path, name)
            if header is None or self._is_known(header, name):
                continue
            about = _about(self._labels.key, header, name)
            label = self._labels.rows.get(about)
            if label is None:
                sentence = f"{name} has no label in {self._labels.path.name}; it is left out."
                self._say(FaultKind.UNLABELLED, name, sentence)
                continue
            used.add(about)
            body_part = self._body_part(header, label, name)
            if body_part is not None:
                yield self._image(path, name, header, label, body_part)
        for about, label in self._labels.rows.items():
            if about not in used:
                table = self._labels.path.name
                words = f"Line {label.line} of {table} is about {self._labels.shown(about)}"
                self._say(FaultKind.IMAGELESS, table, f"{words}, which no file has.")

    def _say(self, kind: FaultKind, path: str, sentence: str) -> None:
        self._tell(Fault(kind, path, sentence))

    def _files(self) -> Iterator[Path]:
        table = self._labels.path.resolve()
        # A link to nowhere is no folder either, and is told when it cannot be opened.
        for path in sorted(path for path in self._folder.rglob("*") if not path.is_dir()):
            name = path.relative_to(self._folder).as_posix()
            if path.name.startswith("."):
                self._say(FaultKind.HIDDEN, name, f"{name} is a hidden file; it is left out.")
            # A DICOMDIR is a directory of files, not an instance.
            elif path.name.upper() != "DICOMDIR" and path.resolve() != table:
                yield path

    def _header(self, path: Path, name: str) -> InstanceHeader | None:
        try:
            return read_header(path)
        except Invalid as error:
            self._say(FaultKind.NOT_DICOM, name, f"{name} is left out: {error}")
        except OSError as error:
            self._say(FaultKind.UNREADABLE, name, f"{name} cannot be read: {error.strerror}.")
        return None

    def _is_known(self, header: InstanceHeader, name: str) -> bool:
        """Say if the same SOP instance came before: a resent copy is no second image."""
        first = self._seen.setdefault(header.sop_instance_uid, name)
        if first == name:
            return False
        sentence = f"{name} has the SOP Instance UID of {first}; it is left out."
        self._say(FaultKind.REPEATED, name, sentence)
        return True

    def _body_part(self, header: InstanceHeader, label: Label, name: str) -> BodyPart | None:
        """Return as which body part an image counts, or None after telling why it does not."""
        named = header.body_part_examined
        if label.body_part is not None:
            if named in set(BodyPart) and named != label.body_part:
                words = f"{name} is {named} by its header and {label.body_part} by {self._labels.path.name}"
                self._say(FaultKind.CONTRADICTED, name, f"{words}; the table is taken.")
            header = replace(header, body_part_examined=label.body_part.value)
        judgement = self._judge(header)
        if judgement.body_part is None:
            self._say(FaultKind.OUT_OF_SCOPE, name, f"{name} is left out: {judgement.reason}")
        return judgement.body_part

    def _image(
        self, path: Path, name: str, header: InstanceHeader, label: Label, body_part: BodyPart
    ) -> LabelledImage:
        return LabelledImage(
            path=path,
            name=name,
            body_part=body_part,
            patient=self._patient(header, name),
            study=header.study_instance_uid,
            is_abnormal=label.is_abnormal,
            split=label.split,
        )

    def _patient(self, header: InstanceHeader, name: str) -> str:
        """Return a digest of the patient ID, or of the study's UID where there is none."""
        if not header.patient_id and header.study_instance_uid not in self._without_patient:
            self._without_patient.add(header.study_instance_uid)
            sentence = f"{name} has no patient ID; its study counts as a patient of its own."
            self._say(FaultKind.NO_PATIENT, name, sentence)
        identity = header.patient_id or header.study_instance_uid
        return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _about(key: Key, header: InstanceHeader, name: str) -> str:
    """Return the value by which the table knows a file."""
    return {
        Key.PATH: name,
        Key.SOP_INSTANCE_UID: header.sop_instance_uid,
        Key.STUDY_INSTANCE_UID: header.study_instance_uid,
        Key.ACCESSION_NUMBER: header.accession_number,
    }[key]
