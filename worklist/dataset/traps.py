"""The faults that copies of MURA have, and those that spoil a measurement, planted into a drawn data set.

Each trap takes studies of its own, so that each is told alone and where it was planted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from worklist.dataset.duplicates import DuplicateKind
from worklist.dataset.faults import FaultKind
from worklist.dataset.mura import images_list, labels_list
from worklist.dataset.pixels import Greys, read_greys
from worklist.dataset.record import LabelledImage, LabelledStudy, Split, studies
from worklist.dataset.synthesis import write_picture
from worklist.errors import Invalid


@dataclass(frozen=True)
class Planted:
    """What a trap left behind: the kind under which it must be told, and the path that must be named."""

    kind: FaultKind | DuplicateKind
    path: str


class _Ground:
    """A drawn data set, and the studies of either split that no trap has taken yet."""

    def __init__(self, folder: Path, found: Sequence[LabelledStudy]) -> None:
        self.folder = folder
        self._fresh: dict[Split, Iterator[LabelledStudy]] = {
            split: iter([study for study in found if study.split is split]) for split in Split
        }

    def take(self, split: Split = Split.TRAIN) -> LabelledImage:
        """Return the first image of a fresh study."""
        return next(self._fresh[split]).images[0]

    def edit_images(self, change: Callable[[str], str], split: Split = Split.TRAIN) -> None:
        """Change the text of the list of images."""
        _edit(images_list(self.folder, split), change)

    def edit_labels(self, change: Callable[[str], str], split: Split = Split.TRAIN) -> None:
        """Change the text of the list of labels."""
        _edit(labels_list(self.folder, split), change)

    def line(self, path: str, label: bool | None = None) -> str:
        """Return the line of an image or, with its label, of a study."""
        return f"{self.folder.name}/{path}" + ("\n" if label is None else f"/,{int(label)}\n")


def _edit(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def _hidden_file(ground: _Ground) -> Planted:
    image = ground.take()
    image.path.with_name("._image1.png").write_bytes(b"\0\5\x16\7" + bytes(200))
    return Planted(FaultKind.HIDDEN, f"{image.study}/._image1.png")


def _unlisted_image(ground: _Ground) -> Planted:
    image = ground.take()
    image.path.with_name("image9.png").write_bytes(image.path.read_bytes())
    return Planted(FaultKind.UNLISTED, f"{image.study}/image9.png")


def _missing_image(ground: _Ground) -> Planted:
    image = ground.take()
    image.path.unlink()
    return Planted(FaultKind.MISSING, image.name)


def _image_listed_twice(ground: _Ground) -> Planted:
    image = ground.take()
    ground.edit_images(lambda text: text + ground.line(image.name))
    return Planted(FaultKind.REPEATED, image.name)


def _empty_image(ground: _Ground) -> Planted:
    image = ground.take()
    image.path.write_bytes(b"")
    return Planted(FaultKind.UNREADABLE, image.name)


def _truncated_image(ground: _Ground) -> Planted:
    image = ground.take()
    whole = image.path.read_bytes()
    image.path.write_bytes(whole[: len(whole) // 2])
    return Planted(FaultKind.UNREADABLE, image.name)


def _page_instead_of_image(ground: _Ground) -> Planted:
    image = ground.take()
    image.path.write_text("<html>Too many requests</html>", encoding="utf-8")
    return Planted(FaultKind.UNREADABLE, image.name)


def _blank_image(ground: _Ground) -> Planted:
    image = ground.take()
    write_picture(image.path, np.zeros_like(read_greys(image.path)))
    return Planted(FaultKind.BLANK, image.name)


def _label_against_name(ground: _Ground) -> Planted:
    image = ground.take()
    old, new = (ground.line(image.study, label) for label in (image.is_abnormal, not image.is_abnormal))
    ground.edit_labels(lambda text: text.replace(old, new))
    return Planted(FaultKind.CONTRADICTED, image.study)


def _label_of_no_meaning(ground: _Ground) -> Planted:
    image = ground.take()
    ground.edit_labels(lambda text: f"{text}{ground.folder.name}/{image.study}/,2\n")
    return Planted(FaultKind.MALFORMED, labels_list(ground.folder, Split.TRAIN).name)


def _foreign_body_part(ground: _Ground) -> Planted:
    name = "train/XR_FOOT/patient00001/study1_negative/image1.png"
    ground.edit_images(lambda text: text + ground.line(name))
    return Planted(FaultKind.MALFORMED, images_list(ground.folder, Split.TRAIN).name)


def _study_without_label(ground: _Ground) -> Planted:
    image = ground.take()
    line = ground.line(image.study, image.is_abnormal)
    ground.edit_labels(lambda text: text.replace(line, ""))
    return Planted(FaultKind.UNLABELLED, image.study)


def _label_without_images(ground: _Ground) -> Planted:
    study = "train/XR_HAND/patient99999/study1_negative"
    ground.edit_labels(lambda text: text + ground.line(study, label=False))
    return Planted(FaultKind.IMAGELESS, study)


def _copy_in_valid(ground: _Ground) -> Planted:
    image, copy = ground.take(), ground.take(Split.VALID)
    write_picture(copy.path, read_greys(image.path), is_colour=True)
    return Planted(DuplicateKind.PIXELS, copy.name)


def _scaled_copy_in_valid(ground: _Ground) -> Planted:
    image, copy = ground.take(), ground.take(Split.VALID)
    write_picture(copy.path, _scaled(read_greys(image.path)))
    return Planted(DuplicateKind.LIKENESS, copy.name)


def _scaled(greys: Greys) -> Greys:
    """Return a smaller and brighter copy, as another export of the same image would be."""
    rows, columns = greys.shape
    small = Image.fromarray(greys).resize((columns * 3 // 5, rows * 3 // 5), Image.Resampling.BICUBIC)
    brighter: Greys = np.clip(np.asarray(small) * np.float32(1.08) + np.float32(0.02), 0, 1)
    return brighter


def _copy_in_train(ground: _Ground) -> Planted:
    image, copy = ground.take(), ground.take()
    copy.path.write_bytes(image.path.read_bytes())
    return Planted(DuplicateKind.PIXELS_WITHIN, copy.name)


def _patient_in_both_splits(ground: _Ground) -> Planted:
    image, other = ground.take(), ground.take(Split.VALID)
    study = other.study.replace(other.patient, image.patient)
    (ground.folder / study).parent.mkdir(parents=True, exist_ok=True)
    (ground.folder / other.study).rename(ground.folder / study)
    for edit in (ground.edit_images, ground.edit_labels):
        edit(lambda text: text.replace(f"{other.study}/", f"{study}/"), Split.VALID)
    return Planted(DuplicateKind.PATIENT, f"{study}/{other.path.name}")


TRAPS: tuple[Callable[[_Ground], Planted], ...] = (
    _hidden_file,
    _unlisted_image,
    _missing_image,
    _image_listed_twice,
    _empty_image,
    _truncated_image,
    _page_instead_of_image,
    _blank_image,
    _label_against_name,
    _label_of_no_meaning,
    _foreign_body_part,
    _study_without_label,
    _label_without_images,
    _copy_in_valid,
    _scaled_copy_in_valid,
    _copy_in_train,
    _patient_in_both_splits,
)
"""All of them, in the order in which they take studies."""


def plant(folder: Path, images: Sequence[LabelledImage]) -> list[Planted]:
    """Plant every trap into a data set that was drawn just now.

    Parameters
    ----------
    images
        What `worklist.dataset.synthesis.synthesize` returned for the folder.

    Raises
    ------
    Invalid
        If there are not enough studies for all of them.
    """
    ground = _Ground(folder, studies(images))
    try:
        return [trap(ground) for trap in TRAPS]
    except StopIteration:
        raise Invalid(f"{folder} has too few studies for all faults; draw it with more patients.") from None
