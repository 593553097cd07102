"""A snapshot of labelled images: what one training run and its evaluation see, in one file with a hash."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from worklist.errors import Invalid, Unavailable
from worklist.tables.vocabulary import BodyPart


class Role(StrEnum):
    """What an image is for: weights are fitted to it, choices are made with it, figures are measured on it."""

    FIT = "fit"
    TUNE = "tune"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class SnapshotImage:
    """One image of a snapshot.

    Parameters
    ----------
    path
        The file, absolute: PNG, JPEG or DICOM, as ``worklist.dataset.pixels.read_greys`` takes it.
    name
        Names the image in reports; unique in the snapshot, no patient data.
    patient, study
        Digests: what images of one patient or study share. All images of a patient have one role.
    is_abnormal
        The label of the study, which each of its images inherits.
    crop
        (top, left, height, width) in pixels of the image, as a reader drew it; None: as the classifier would.
    """

    path: Path
    name: str
    body_part: BodyPart
    patient: str
    study: str
    is_abnormal: bool
    role: Role
    crop: tuple[int, int, int, int] | None = None


def write_snapshot(path: Path, images: Iterable[SnapshotImage]) -> str:
    """Write a snapshot, one image a line, sorted by name, and return its SHA-256: the same images, the same."""
    content = _content(images)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def digest(images: Iterable[SnapshotImage]) -> str:
    """Return the SHA-256 that a snapshot of these images has, whatever their order."""
    return hashlib.sha256(_content(images)).hexdigest()


def _content(images: Iterable[SnapshotImage]) -> bytes:
    lines = (json.dumps(_fields(image), default=str, sort_keys=True) + "\n" for image in images)
    return "".join(sorted(lines, key=lambda line: str(json.loads(line)["name"]))).encode()


def _fields(image: SnapshotImage) -> dict[str, object]:
    # A snapshot without crops is the same as before there were any, and so is its hash.
    return {name: value for name, value in asdict(image).items() if name != "crop" or value is not None}


def read_snapshot(path: Path, *, sha256: str = "") -> list[SnapshotImage]:
    """Read a snapshot.

    Parameters
    ----------
    sha256
        What the file must hash to; empty: it is not checked.

    Raises
    ------
    Unavailable
        If the file cannot be read.
    Invalid
        If it is another file than was written, or no snapshot.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unavailable(f"The snapshot {path} cannot be read: {error.strerror}.") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256:
        raise Invalid(
            f"The snapshot {path} has SHA-256 {found}, not {sha256}: it was changed after it was made."
        )
    try:
        return [_image(json.loads(line)) for line in content.splitlines()]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Invalid(f"{path} is no snapshot: {error}.") from error


def _image(fields: dict[str, Any]) -> SnapshotImage:
    crop = fields.get("crop")
    return SnapshotImage(
        path=Path(str(fields["path"])),
        name=str(fields["name"]),
        body_part=BodyPart(str(fields["body_part"])),
        patient=str(fields["patient"]),
        study=str(fields["study"]),
        is_abnormal=bool(fields["is_abnormal"]),
        role=Role(str(fields["role"])),
        crop=(int(crop[0]), int(crop[1]), int(crop[2]), int(crop[3])) if crop is not None else None,
    )
