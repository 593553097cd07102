"""What is in a folder of labelled radiographs: images, studies, patients, faults, duplicates."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from worklist.dataset.duplicates import Duplicate, alike, same_pixels, shared_patients
from worklist.dataset.faults import Fault, FaultKind
from worklist.dataset.layouts import LabelledFolder
from worklist.dataset.pixels import Fingerprint, Unreadable, fingerprints
from worklist.dataset.record import LabelledImage, Split, studies
from worklist.tables import BodyPart

Progress = Callable[[int, int], None]
"""(images opened, images in all)."""


@dataclass(frozen=True)
class SplitCounts:
    """The numbers of one split.

    Parameters
    ----------
    unreadable
        Images that cannot be read, which count among the images; None if none was opened.
    """

    images: int
    studies: int
    abnormal_studies: int
    patients: int
    unreadable: int | None


@dataclass(frozen=True)
class Summary:
    """What was found.

    Parameters
    ----------
    images
        Number of images by split, body part, and whether they are abnormal.
    splits
        In the order train, valid, test, unsplit; only those that have images.
    was_opened
        Images were opened: without, nothing is known of their pixels.
    """

    folder: Path
    layout: str
    images: Counter[tuple[Split, BodyPart, bool]]
    splits: dict[Split, SplitCounts]
    faults: list[Fault]
    duplicates: list[Duplicate]
    was_opened: bool

    def normal_and_abnormal(self, split: Split, body_part: BodyPart | None = None) -> tuple[int, int]:
        """Return the numbers of normal and of abnormal images, of all body parts if none is named."""
        parts = [body_part] if body_part else list(BodyPart)
        normal, abnormal = (sum(self.images[split, part, label] for part in parts) for label in (False, True))
        return normal, abnormal


@dataclass
class _Opened:
    """What opening the images found."""

    prints: dict[LabelledImage, Fingerprint] = field(default_factory=dict)
    unreadable: Counter[Split] = field(default_factory=Counter)


def summarise(
    source: LabelledFolder, *, is_quick: bool = False, on_progress: Progress = lambda done, total: None
) -> Summary:
    """Read a folder and count.

    Parameters
    ----------
    is_quick
        Opens no image: unreadable ones and copies are then not found.

    Raises
    ------
    Invalid
        If its labels cannot be read at all.
    """
    faults: list[Fault] = []
    images = list(source.images(faults.append))
    opened = None if is_quick else _open(images, faults, on_progress)
    duplicates = shared_patients(images)
    if opened is not None:
        duplicates += same_pixels(opened.prints) + alike(opened.prints)
    return Summary(
        folder=source.folder,
        layout=source.layout,
        images=Counter((image.split, image.body_part, image.is_abnormal) for image in images),
        splits=_splits(images, opened),
        faults=faults,
        duplicates=duplicates,
        was_opened=opened is not None,
    )


def _open(images: list[LabelledImage], faults: list[Fault], on_progress: Progress) -> _Opened:
    opened = _Opened()
    for number, (image, found) in enumerate(fingerprints(images), start=1):
        if isinstance(found, Unreadable):
            opened.unreadable[image.split] += 1
            sentence = f"{image.name} cannot be read: {found}."
            faults.append(Fault(FaultKind.UNREADABLE, image.name, sentence))
        elif found.is_blank:
            sentence = f"{image.name} shows nothing: all its pixels have one grey."
            faults.append(Fault(FaultKind.BLANK, image.name, sentence))
        else:
            opened.prints[image] = found
        on_progress(number, len(images))
    return opened


def _splits(images: Iterable[LabelledImage], opened: _Opened | None) -> dict[Split, SplitCounts]:
    by_split: dict[Split, list[LabelledImage]] = {split: [] for split in Split}
    for image in images:
        by_split[image.split].append(image)
    return {
        split: _counts(found, opened.unreadable[split] if opened else None)
        for split, found in by_split.items()
        if found
    }


def _counts(images: list[LabelledImage], unreadable: int | None) -> SplitCounts:
    grouped = studies(images)
    return SplitCounts(
        images=len(images),
        studies=len(grouped),
        abnormal_studies=sum(study.is_abnormal for study in grouped),
        patients=len({image.patient for image in images}),
        unreadable=unreadable,
    )
