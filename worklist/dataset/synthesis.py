"""A folder in MURA's layout from drawn radiographs: MURA itself may not be passed on, no part of it.

Same paths, same lists, PNG files of one or three channels, patients with one or more studies and body parts.
What a classifier learns from it is about drawings.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worklist.dataset.mura import images_list, labels_list
from worklist.dataset.record import LabelledImage, Split
from worklist.errors import Invalid
from worklist.synthetic import LESIONS, VIEWS, draw_radiograph, random_film
from worklist.synthetic.skeleton import Random
from worklist.tables import BodyPart

LONGEST_PX = 512
"""Longest side of an image, as in MURA."""

NOTE = "README.txt"
_NOTE_TEXT = """\
Drawn radiographs in the layout of MURA-v1.1. No patient is in them, and none of MURA's images;
what a classifier shows on them says nothing about real radiographs.
"""
_SHAPES = ((1.0, 0.8), (1.0, 1.0), (0.8, 1.0), (1.0, 0.6))
# One patient in six comes twice with the same body part, one in ten with another one.
_COMES_AGAIN, _HAS_OTHER_PART = 6, 10
_COLOUR_EVERY = 8

Progress = Callable[[int, int], None]
"""(patients drawn, patients in all)."""


@dataclass(frozen=True)
class _Study:
    """One study to be drawn."""

    patient: int
    split: Split
    body_part: BodyPart
    number: int
    is_abnormal: bool

    @property
    def name(self) -> str:
        word = "positive" if self.is_abnormal else "negative"
        return f"{self.split}/XR_{self.body_part}/patient{self.patient:05}/study{self.number}_{word}"


def synthesize(
    folder: Path,
    *,
    patients: int = 70,
    valid_share: float = 0.2,
    longest_px: int = LONGEST_PX,
    seed: int = 0,
    on_progress: Progress = lambda done, total: None,
) -> list[LabelledImage]:
    """Draw a data set in MURA's layout; the same arguments give the same files.

    Parameters
    ----------
    folder
        Does not exist yet or is empty; the paths in the lists begin with its name.
    patients
        Number of patients. Body parts go round, each once normal and once abnormal: from 14 patients in each
        split on, every body part has both labels there.
    valid_share
        Share of the patients that are in valid, 0...1; no patient is in both.

    Returns
    -------
    list of LabelledImage
        What a reader must find, in the order of the lists.

    Raises
    ------
    Invalid
        If the folder has something in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Invalid(f"{folder} is not an empty folder; a data set is drawn into a new one.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NOTE).write_text(_NOTE_TEXT, encoding="utf-8")
    images: list[LabelledImage] = []
    for number in range(1, patients + 1):
        split = Split.TRAIN if number <= patients - round(patients * valid_share) else Split.VALID
        for study in _studies(number, split):
            images += _draw(folder, study, longest_px, seed)
        on_progress(number, patients)
    for split in (Split.TRAIN, Split.VALID):
        write_lists(folder, split, [image for image in images if image.split is split])
    return images


def write_lists(folder: Path, split: Split, images: Iterable[LabelledImage]) -> None:
    """Write both lists of a split, as MURA writes them: no header, a slash behind each study."""
    listed = list(images)
    labels = {image.study: int(image.is_abnormal) for image in listed}
    _write(images_list(folder, split), (f"{folder.name}/{image.name}" for image in listed))
    _write(labels_list(folder, split), (f"{folder.name}/{study}/,{label}" for study, label in labels.items()))


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _studies(patient: int, split: Split) -> Iterator[_Study]:
    """Yield the studies of a patient: body part and label follow from the number."""
    parts = list(BodyPart)
    rounds, place = divmod(patient - 1, len(parts))
    is_abnormal = rounds % 2 == 1
    yield _Study(patient, split, parts[place], 1, is_abnormal)
    if patient % _COMES_AGAIN == 0:
        yield _Study(patient, split, parts[place], 2, not is_abnormal)
    if patient % _HAS_OTHER_PART == 0:
        yield _Study(patient, split, parts[(place + 3) % len(parts)], 1, is_abnormal)


def _draw(folder: Path, study: _Study, longest_px: int, seed: int) -> Iterator[LabelledImage]:
    """Draw the views of a study and write them."""
    random = np.random.default_rng([seed, study.patient, list(BodyPart).index(study.body_part), study.number])
    lesion = LESIONS[int(random.integers(len(LESIONS)))] if study.is_abnormal else None
    target = folder / study.name
    target.mkdir(parents=True)
    for number, view in enumerate(VIEWS[study.body_part], start=1):
        radiograph = draw_radiograph(
            study.body_part,
            view,
            # Normal or not, and whenever the patient comes: the bones are the same.
            seed=seed * 1_000_000 + study.patient,
            lesion=lesion,
            size=_size(random, longest_px),
            film=random_film(random),
        )
        path = target / f"image{number}.png"
        write_picture(path, radiograph.displayed_greys, is_colour=study.patient % _COLOUR_EVERY == 0)
        yield LabelledImage(
            path=path,
            name=f"{study.name}/{path.name}",
            body_part=study.body_part,
            patient=f"patient{study.patient:05}",
            study=study.name,
            is_abnormal=study.is_abnormal,
            split=study.split,
        )


def _size(random: Random, longest_px: int) -> tuple[int, int]:
    rows, columns = _SHAPES[int(random.integers(len(_SHAPES)))]
    return round(rows * longest_px), round(columns * longest_px)


def write_picture(path: Path, greys: NDArray[np.float32], *, is_colour: bool = False) -> None:
    """Write greys as PNG of 8 bits.

    Parameters
    ----------
    greys
        Float32 (rows, columns), 0...1.
    is_colour
        Three channels, all the same, as some images of MURA have them.
    """
    picture = Image.fromarray(np.round(greys * 255).astype(np.uint8))
    (picture.convert("RGB") if is_colour else picture).save(path, "PNG")
