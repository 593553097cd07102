"""What one step of training sees: patches around lesions and normal bone, or whole crops.

The network is convolutional, so what it learns on patches holds for whole crops at the same
scale, at a fraction of the price.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.training.demo.dataset import STORED_PX, Snapshot

Random = np.random.Generator


@dataclass(frozen=True)
class Batch:
    """One step's images.

    Parameters
    ----------
    greys
        float32, shape (n, size, size), 0...1.
    labels
        float32, shape (n,), 1 where a lesion is in the image.
    cells
        Where it is, float32, shape (n, h, w): 1 in cells of the feature map it covers.
    weights
        float32, shape (n, h, w): 0 where a cell says nothing, being half covered or unknown.
    """

    greys: NDArray[np.float32]
    labels: NDArray[np.float32]
    cells: NDArray[np.float32]
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """How images are cut.

    Parameters
    ----------
    size_px
        Side of a patch or crop as the network gets it.
    input_size_px
        Side that a whole crop has at the same scale.
    stride_px
        Pixels of the input per cell of the feature map.
    """

    size_px: int
    input_size_px: int = 224
    stride_px: int = 32

    @property
    def is_whole(self) -> bool:
        """Say whether whole crops are cut."""
        return self.size_px >= self.input_size_px


def batches(snapshot: Snapshot, look: Look, *, count: int, seed: int, skip: int = 0) -> Iterator[Batch]:
    """Yield batches for ever; the same seed gives the same ones.

    Parameters
    ----------
    count
        Images per batch, half of them with a lesion.
    skip
        Batches already used by a run that is resumed: each has its own seed.
    """
    abnormal = np.flatnonzero(snapshot.labels == 1)
    if not look.is_whole:
        abnormal = abnormal[snapshot.boxes[abnormal, 2] > 0]
    normal = np.flatnonzero(snapshot.labels == 0)
    number = skip
    while True:
        random = np.random.default_rng([seed, number])
        yield _batch(snapshot, look, _choose(snapshot, abnormal, normal, count, random), random)
        number += 1


def _choose(
    snapshot: Snapshot,
    abnormal: NDArray[np.intp],
    normal: NDArray[np.intp],
    count: int,
    random: Random,
) -> list[tuple[int, int | None]]:
    """Return for each image its index and the image whose lesion's place is cut, if any.

    Half are abnormal at the lesion; a quarter normal, of the same patient where there is one,
    at the same place; the rest anywhere.
    """
    chosen: list[tuple[int, int | None]] = []
    partners = {snapshot.groups[index]: int(index) for index in normal}
    for index in random.choice(abnormal, count // 2):
        chosen.append((int(index), int(index)))
        partner = partners.get(snapshot.groups[index])
        if partner is None or random.random() < 0.5:
            chosen.append((int(random.choice(normal)), None))
        else:
            chosen.append((partner, int(index)))
    return chosen


def _batch(snapshot: Snapshot, look: Look, chosen: list[tuple[int, int | None]], random: Random) -> Batch:
    """Cut and augment the chosen images."""
    cuts = [_cut(snapshot, look, index, place, random) for index, place in chosen]
    greys, labels, cells, weights = (np.stack(values) for values in zip(*cuts, strict=True))
    return Batch(greys, labels.astype(np.float32), cells, weights)


def _cut(
    snapshot: Snapshot, look: Look, index: int, place: int | None, random: Random
) -> tuple[NDArray[np.float32], np.float32, NDArray[np.float32], NDArray[np.float32]]:
    """Return one augmented image with its label, cells and cell weights."""
    matrix = _transform(snapshot, look, index, place, random)
    size = look.size_px
    greys = cv2.warpAffine(snapshot.squares[index], matrix, (size, size), flags=cv2.INTER_LINEAR)
    greys = _exposed(greys.astype(np.float32) / np.float32(255), random)
    is_abnormal = snapshot.labels[index] == 1
    box = _box_after(snapshot.boxes[index], matrix) if is_abnormal else None
    cells, weights = _cells(box, look, is_abnormal)
    label = np.float32(is_abnormal and (look.is_whole or cells.max() > 0))
    return greys, label, cells, weights


def _transform(
    snapshot: Snapshot, look: Look, index: int, place: int | None, random: Random
) -> NDArray[np.float64]:
    """Return the affine map (2, 3) from the stored square to the network's input, in (x, y)."""
    scale = look.input_size_px / STORED_PX * np.exp(random.uniform(-0.14, 0.14))
    angle = np.radians(random.uniform(-14, 14))
    flips = random.choice((-1, 1)), 1 if random.random() < 0.75 else -1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * turn @ np.diag(flips)
    if look.is_whole:
        centre = np.full(2, STORED_PX / 2) + random.uniform(-10, 10, 2)
    else:
        centre = _centre(snapshot, look, index, place, random)
    shift = look.size_px / 2 - linear @ centre
    return np.column_stack([linear, shift])


def _centre(
    snapshot: Snapshot, look: Look, index: int, place: int | None, random: Random
) -> NDArray[np.float64]:
    """Choose the middle (x, y) of a patch: in a lesion's box, or where the image is not dark."""
    if place is not None:
        top, left, height, width = snapshot.boxes[place]
        jitter = random.uniform(-0.28, 0.28, 2) * look.size_px
        inside = random.uniform(-0.25, 0.25, 2) * (width, height)
        return np.array([left + width / 2, top + height / 2]) + (jitter if random.random() < 0.5 else inside)
    square = snapshot.squares[index]
    for _ in range(8):
        x, y = random.integers(8, STORED_PX - 8, 2)
        if square[y, x] > 70:
            break
    return np.array([x, y], float)


def _exposed(greys: NDArray[np.float32], random: Random) -> NDArray[np.float32]:
    """Vary brightness, contrast, gamma, sharpness and noise of an image 0...1."""
    if random.random() < 0.25:
        greys = cv2.GaussianBlur(greys, (0, 0), random.uniform(0.3, 0.9))
    greys = np.power(greys, np.float32(np.exp(random.uniform(-0.3, 0.3))))
    greys = greys * np.float32(random.uniform(0.85, 1.15)) + np.float32(random.uniform(-0.04, 0.04))
    if random.random() < 0.5:
        grain = random.standard_normal(greys.shape, dtype=np.float32)
        greys = greys + grain * np.float32(random.uniform(0, 0.025))
    return np.asarray(np.clip(greys, 0, 1), np.float32)


def _box_after(box: NDArray[np.int32], matrix: NDArray[np.float64]) -> tuple[float, float, float, float] | None:
    """Return top, left, bottom, right of a box after the map, or None if there is no box."""
    top, left, height, width = box
    if height <= 0:
        return None
    corners = np.array([[left, top], [left + width, top], [left, top + height], [left + width, top + height]])
    seen = corners @ matrix[:, :2].T + matrix[:, 2]
    (x0, y0), (x1, y1) = seen.min(0), seen.max(0)
    return float(y0), float(x0), float(y1), float(x1)


def _cells(
    box: tuple[float, float, float, float] | None, look: Look, is_abnormal: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return which cells of the feature map a box covers, and which cells count."""
    count = look.size_px // look.stride_px
    if box is None:
        weight = 0.0 if is_abnormal else 1.0
        return np.zeros((count, count), np.float32), np.full((count, count), weight, np.float32)
    edges = np.arange(count + 1) * look.stride_px
    cover = [
        np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None)
        for low, high in ((box[0], box[2]), (box[1], box[3]))
    ]
    area = np.outer(*cover)
    whole = min(look.stride_px**2, max(1.0, (box[2] - box[0]) * (box[3] - box[1])))
    share = area / whole
    cells = (share >= 0.4).astype(np.float32)
    weights = ((share >= 0.4) | (share <= 0.08)).astype(np.float32)
    return cells, weights
