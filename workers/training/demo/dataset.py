"""A snapshot: images fitted into squares, their labels, and the place of the lesion where known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.crop import Greys
from workers.square import Prepared, prepare

STORED_PX = 256
"""Side of a stored square: a little more than the classifier takes, so that turning it costs no detail."""

NO_BOX = (-1, -1, -1, -1)
Rectangle = tuple[int, int, int, int]


@dataclass(frozen=True)
class Item:
    """One image of a snapshot.

    Parameters
    ----------
    square
        The crop in its square, uint8, shape (STORED_PX, STORED_PX).
    is_abnormal
        The label.
    body_part
        As in (0018,0015).
    lesion_box
        Where the reader or the drawing saw the lesion (top, left, height, width) in pixels of
        the square; None if nobody said.
    group
        Images of one patient share it: they stay on one side of a split and make pairs.
    """

    square: NDArray[np.uint8]
    is_abnormal: bool
    body_part: str
    lesion_box: Rectangle | None = None
    group: str = ""


@dataclass(frozen=True)
class Snapshot:
    """Images in one block of memory.

    Parameters
    ----------
    squares
        uint8, shape (n, STORED_PX, STORED_PX).
    labels
        float32, shape (n,), 1 is abnormal.
    boxes
        int32, shape (n, 4), `NO_BOX` where unknown or normal.
    body_parts, groups
        Text, shape (n,).
    """

    squares: NDArray[np.uint8]
    labels: NDArray[np.float32]
    boxes: NDArray[np.int32]
    body_parts: NDArray[np.str_]
    groups: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of(cls, items: Iterable[Item]) -> "Snapshot":
        """Gather items."""
        listed = list(items)
        return cls(
            np.stack([item.square for item in listed]),
            np.array([item.is_abnormal for item in listed], np.float32),
            np.array([item.lesion_box or NO_BOX for item in listed], np.int32),
            np.array([item.body_part for item in listed]),
            np.array([item.group for item in listed]),
        )

    def save(self, path: Path) -> None:
        """Write the snapshot to a file."""
        with path.open("wb") as file:
            np.savez(file, **vars(self))

    @classmethod
    def load(cls, path: Path) -> "Snapshot":
        """Read a snapshot from a file."""
        with np.load(path, allow_pickle=False) as file:
            return cls(*(file[name] for name in cls.__dataclass_fields__))

    def take(self, chosen: Sequence[int] | NDArray[np.intp] | slice) -> "Snapshot":
        """Return some of the images."""
        return Snapshot(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def crops(self, size: int) -> NDArray[np.float32]:
        """Return all images as the classifier takes them, float32 (n, size, size), 0...1."""
        return np.stack([_resized(square, size) for square in self.squares])


def _resized(square: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Return one stored square at another size, 0...1."""
    resized = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(resized.astype(np.float32) / np.float32(255))


def make_item(
    greys: Greys, *, is_abnormal: bool, body_part: str, lesion_box: Rectangle | None, group: str
) -> Item:
    """Take an image through the product's own crop into a snapshot.

    Parameters
    ----------
    greys
        Displayed greys, float32, shape (rows, columns), 0...1.
    lesion_box
        In source pixels, or None.
    """
    prepared = prepare(greys, STORED_PX)
    square = np.round(prepared.square * 255).astype(np.uint8)
    box = to_square(lesion_box, prepared) if lesion_box else None
    return Item(square, is_abnormal, body_part, box, group)


def to_square(box: Rectangle, prepared: Prepared) -> Rectangle:
    """Carry a rectangle of source pixels into the square, cut off at the crop."""
    scale = prepared.letterbox[2] / prepared.crop.height
    ends = []
    origins = ((prepared.crop.top, 0), (prepared.crop.left, 1))
    for origin, axis in origins:
        first, length = prepared.letterbox[axis], prepared.letterbox[axis + 2]
        start = (box[axis] - origin) * scale + first
        end = start + box[axis + 2] * scale
        low, high = (round(float(np.clip(v, first, first + length))) for v in (start, end))
        ends.append((low, max(1, high - low)))
    (top, height), (left, width) = ends
    return top, left, height, width
