"""The same image or patient twice: on both sides of a split, what is measured there is worth nothing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from worklist.dataset.pixels import LIKENESS_BITS, Fingerprint
from worklist.dataset.record import LabelledImage, Split

MOST_DIFFERENT_BITS = 14
"""Of 274 drawn radiographs of 96, 160 and 320 pixels, no two of different patients differ in fewer than 24 of
256 bits, and no copy at 60 % of the size, as JPEG of quality 40 or a tenth brighter in more than 14."""

_PAIRS_AT_ONCE = 4_000_000
"""They take 80 MB."""


class DuplicateKind(StrEnum):
    """The kinds, in the words under which they are counted."""

    PATIENT = "patients in more than one split"
    PIXELS = "images with the same pixels in more than one split"
    LIKENESS = "images that look alike in more than one split"
    PIXELS_WITHIN = "images with the same pixels within a split"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two images that are one, or of one patient."""

    kind: DuplicateKind
    first: LabelledImage
    second: LabelledImage
    different_bits: int = 0

    @property
    def sentence(self) -> str:
        """Return it in words; patients are named by a path each, never by their ID."""
        where = f"{self.first.name} ({self.first.split}) and {self.second.name} ({self.second.split})"
        labels = "" if self.first.is_abnormal == self.second.is_abnormal else "; their labels differ"
        match self.kind:
            case DuplicateKind.PATIENT:
                return f"{where} are of one patient."
            case DuplicateKind.LIKENESS:
                return f"{where} look alike: {self.different_bits} of {LIKENESS_BITS} bits differ{labels}."
            case _:
                return f"{where} have the same pixels{labels}."


def shared_patients(images: Iterable[LabelledImage]) -> list[Duplicate]:
    """Return each patient of two splits once for each pair of splits, with an image of either."""
    patients: dict[str, dict[Split, LabelledImage]] = defaultdict(dict)
    for image in images:
        patients[image.patient].setdefault(image.split, image)
    return [
        Duplicate(DuplicateKind.PATIENT, first, second)
        for splits in patients.values()
        for first, second in combinations(splits.values(), 2)
    ]


def same_pixels(prints: Mapping[LabelledImage, Fingerprint]) -> list[Duplicate]:
    """Return each image whose pixels came before, beside an earlier one: one of another split if there is one.

    Parameters
    ----------
    prints
        Blank images left out: they are all the same.
    """
    groups: dict[bytes, list[LabelledImage]] = defaultdict(list)
    for image, found in prints.items():
        groups[found.pixels].append(image)
    return [_pair(group[:place], group[place]) for group in groups.values() for place in range(1, len(group))]


def _pair(earlier: Sequence[LabelledImage], image: LabelledImage) -> Duplicate:
    across = next((other for other in earlier if other.split is not image.split), None)
    if across is not None:
        return Duplicate(DuplicateKind.PIXELS, across, image)
    return Duplicate(DuplicateKind.PIXELS_WITHIN, earlier[0], image)


def alike(prints: Mapping[LabelledImage, Fingerprint]) -> list[Duplicate]:
    """Return the pairs of images of different splits that look alike and have not the same pixels.

    Notes
    -----
    Every image is compared with every one of the other splits, in blocks: for MURA 118 million pairs.
    """
    splits: dict[Split, list[LabelledImage]] = defaultdict(list)
    for image in prints:
        splits[image.split].append(image)
    return [
        Duplicate(DuplicateKind.LIKENESS, one[row], other[column], bits)
        for one, other in combinations(splits.values(), 2)
        for row, column, bits in _near(_words(one, prints), _words(other, prints))
        if prints[one[row]].pixels != prints[other[column]].pixels
    ]


def _words(images: Sequence[LabelledImage], prints: Mapping[LabelledImage, Fingerprint]) -> NDArray[np.uint64]:
    """Return likenesses as uint64, shape (images, LIKENESS_BITS / 64)."""
    packed = b"".join(prints[image].likeness for image in images)
    return np.frombuffer(packed, np.uint64).reshape(len(images), LIKENESS_BITS // 64)


def _near(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> Iterator[tuple[int, int, int]]:
    """Yield row in one, row in other, and the number of different bits of the pairs that differ in few."""
    step = max(1, _PAIRS_AT_ONCE // len(other))
    for start in range(0, len(one), step):
        block = one[start : start + step]
        different = np.zeros((len(block), len(other)), np.uint16)
        for word in range(one.shape[1]):
            different += np.bitwise_count(block[:, word, None] ^ other[None, :, word])
        for row, column in np.argwhere(different <= MOST_DIFFERENT_BITS):
            yield start + int(row), int(column), int(different[row, column])
