"""The demo's studies: synthetic radiographs of the seven body parts, and real ones that are out of scope."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.data import get_testdata_file
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from worklist.synthetic.dataset import compress, make_study
from worklist.synthetic.lesions import Lesion
from worklist.tables import BodyPart

TRANSFER_SYNTAXES = (
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)
# For each body part three studies; about two in five are abnormal, in turns of kind.
LESIONS: tuple[tuple[Lesion | None, ...], ...] = (
    (None, "break", None),
    ("implant", None, None),
    (None, None, "break"),
    ("dislocation", None, None),
    (None, "implant", "break"),
    (None, None, "dislocation"),
    ("break", None, None),
)
FIRST_SEED = 20_260_000
# Real CR files of the package pydicom-data (MIT licence): a lower leg and a chest, both out of scope.
REAL_FILES = ("RG3_UNCR.dcm", "RG1_J2KR.dcm")


@dataclass(frozen=True)
class Sample:
    """One study to be sent: what it is in words, and the folder with its files."""

    title: str
    folder: Path


def samples(folder: Path) -> Iterator[Sample]:
    """Yield the studies one by one, drawing those whose files are not there yet."""
    for round_number in range(3):
        for part_number, body_part in enumerate(BodyPart):
            yield _synthetic(folder, body_part, part_number, round_number)
    for name in REAL_FILES:
        yield _real(folder, name)


def _synthetic(folder: Path, body_part: BodyPart, part_number: int, round_number: int) -> Sample:
    number = round_number * len(BodyPart) + part_number
    lesion = LESIONS[part_number][round_number]
    syntax = TRANSFER_SYNTAXES[number % len(TRANSFER_SYNTAXES)]
    target = folder / f"{number + 1:02}-{body_part.lower()}"
    if not target.exists():
        datasets = make_study(body_part, seed=FIRST_SEED + number, lesion=lesion)
        partial = target.with_suffix(".partial")
        partial.mkdir(parents=True, exist_ok=True)
        for index, dataset in enumerate(datasets):
            compress(dataset, syntax).save_as(partial / f"{index + 1}.dcm", enforce_file_format=True)
        partial.rename(target)
    return Sample(f"{body_part.lower()}, {lesion or 'normal'}, {UID(syntax).name}", target)


def _real(folder: Path, name: str) -> Sample:
    target = folder / Path(name).stem
    found = get_testdata_file(name, download=False)
    if not target.exists() and found is not None:
        target.mkdir(parents=True)
        (target / name).write_bytes(Path(str(found)).read_bytes())
    return Sample(f"real radiograph {name} of pydicom-data", target)
