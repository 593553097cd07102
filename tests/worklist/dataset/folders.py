"""Folders of labelled images that the tests know, and readers that keep what they are told."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.worklist.datasets import DIGITAL_X_RAY, make_radiograph, write
from worklist.dataset import dicom_folder, mura
from worklist.dataset.faults import Fault, FaultKind
from worklist.dataset.record import LabelledImage
from worklist.intake import scope


@dataclass(frozen=True)
class Drawn:
    """A drawn data set and what was drawn."""

    folder: Path
    images: list[LabelledImage]

    def moved(self, folder: Path) -> "Drawn":
        """Return the same after it was moved."""
        return Drawn(folder, [replace(image, path=folder / image.name) for image in self.images])

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that a list must contain."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def append(self, name: str, text: str) -> None:
        """Add to the end of a list."""
        with (self.folder / name).open("a") as file:
            file.write(text)


@dataclass(frozen=True)
class Read:
    """What a reader yielded and what it told."""

    images: list[LabelledImage]
    faults: list[Fault]

    def told(self) -> list[tuple[FaultKind, str]]:
        """Return kind and path of each fault."""
        return [(fault.kind, fault.path) for fault in self.faults]

    def only(self, kind: FaultKind) -> Fault:
        """Return the only fault, which must be of this kind."""
        (fault,) = self.faults
        assert fault.kind is kind
        return fault


def read_mura(folder: Path) -> Read:
    """Read a folder in MURA's layout."""
    faults: list[Fault] = []
    return Read(list(mura.images(folder, faults.append)), faults)


def read_dicom(folder: Path, table: str = "labels.csv") -> Read:
    """Read a folder of DICOM files."""
    faults: list[Fault] = []
    images = dicom_folder.images(folder, folder / table, scope.judge, faults.append)
    return Read(list(images), faults)


def put(folder: Path, name: str, **values: object) -> tuple[str, str]:
    """Write a DICOM file of random pixels; return its study and SOP instance UID."""
    seed = sum(name.encode())
    pixels = np.random.default_rng(seed).integers(0, 4096, (8, 8), dtype=np.uint16)
    image = {
        "SOPClassUID": DIGITAL_X_RAY,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": pixels.tobytes(),
    }
    dataset = make_radiograph(**{**image, **values})
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write(dataset, path)
    return dataset.StudyInstanceUID, dataset.SOPInstanceUID


def label(folder: Path, *lines: str, name: str = "labels.csv") -> None:
    """Write a table of labels."""
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
