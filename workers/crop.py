"""Find the anatomy by its edges.

The steps are morphological close, adaptive histogram equalisation (CLAHE), Canny
and the rectangle around the edges, so that black borders, burned-in text and
lead markers fall away. They run on a reduced copy with every size relative to
that copy, and whatever goes wrong ends in a larger crop with a recorded reason:
a crop that is too large is harmless, one that loses anatomy is not.

This module is pure, and OpenCV's (x, y) order never leaves it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

PREPROCESSING_VERSION = 1
"""Raise it with any change that alters a crop or a square: analyses carry it."""

Greys = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]

# Sizes as fractions of the longer side of the reduced copy, tuned on synthetic
# radiographs of other seeds than those the tests and the benchmark draw.
THUMBNAIL_PX = 512
SMALLEST_SIDE_PX = 32
CLOSE = 0.012
OPEN = 0.022
SMALLEST_COMPONENT = 0.12
BOX_MARGIN = 0.015
LINE_MARGIN = 0.012
LINE_LENGTH = 0.5
OUTER = 0.3
FLAT_SPREAD = 30
LINE_STEP = 24
SMALLEST_SLOPE = 6
LOW_TO_HIGH = 0.4
SMALLEST_AREA = 0.06
SMALLEST_BOX_SIDE = 0.12


@dataclass(frozen=True)
class Crop:
    """The rectangle of source pixels that the classifier sees, half-open.

    ``reason`` says in words why the rectangle is not the one around the edges;
    it is empty when it is.
    """

    top: int
    left: int
    height: int
    width: int
    reason: str = ""

    @property
    def rectangle(self) -> tuple[int, int, int, int]:
        """Give (top, left, height, width) in source pixels, half-open."""
        return self.top, self.left, self.height, self.width

    def cut(self, greys: Greys) -> Greys:
        """View the part of ``greys`` (rows, columns) inside the rectangle."""
        return greys[self.top : self.top + self.height, self.left : self.left + self.width]


def find_crop(greys: Greys) -> Crop:
    """Find the rectangle around the anatomy.

    Parameters
    ----------
    greys
        Displayed greys (rows, columns), uint8, uint16 or float32, any range;
        the anatomy may be brighter or darker than its surroundings.

    Returns
    -------
    Crop
        In source pixels. Its reason tells of a fall-back to the inside of the
        collimator or to the whole image.

    Raises
    ------
    ValueError
        If the array is not two-dimensional, is empty or holds NaN or infinity.

    References
    ----------
    Canny, A Computational Approach to Edge Detection, PAMI 8(6), 1986; Otsu, A
    Threshold Selection Method from Gray-Level Histograms, SMC 9(1), 1979.
    """
    if greys.ndim != 2 or greys.size == 0:
        raise ValueError(f"an image has rows and columns, not the shape {greys.shape}")
    rows, columns = greys.shape
    if min(rows, columns) < SMALLEST_SIDE_PX:
        return Crop(0, 0, rows, columns, f"a side is shorter than {SMALLEST_SIDE_PX} pixels")
    thumbnail = _thumbnail(greys)
    if thumbnail is None:
        return Crop(0, 0, rows, columns, "the image has no contrast")
    field = _field(thumbnail)
    box = _edge_box(thumbnail, field)
    reason = ""
    if box is None:
        box = field
        reason = "no edges of anatomy found; " + (
            "whole image used" if field == (0, 0, *thumbnail.shape) else "inside of the collimator used"
        )
    return Crop(*_to_source(box, thumbnail.shape, greys.shape), reason)


def _thumbnail(greys: Greys) -> NDArray[np.uint8] | None:
    """Reduce to 512 pixels on the longer side and window to 8 bit; None if flat."""
    scale = THUMBNAIL_PX / max(greys.shape)
    small: Greys = np.ascontiguousarray(greys)
    if scale < 1:
        shape = (max(1, round(n * scale)) for n in greys.shape[::-1])
        small = cv2.resize(small, tuple(shape), interpolation=cv2.INTER_AREA)
    if not np.isfinite(small).all():
        raise ValueError("the greys hold values that are not finite numbers")
    low, high = np.percentile(small, (0.5, 99.5))
    if high <= low:
        low, high = float(small.min()), float(small.max())
    if high <= low:
        return None
    scaled = (small.astype(np.float32) - low) * (255 / (high - low))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def _ellipse(fraction: float) -> NDArray[np.uint8]:
    """Give a round kernel whose diameter is a fraction of the reduced copy."""
    diameter = round(fraction * THUMBNAIL_PX) | 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))


def _field(thumbnail: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Peel a frame and the shadow of the collimator off, side by side, twice.

    Returns (top, left, height, width) in pixels of the reduced copy.
    """
    letterless = cv2.morphologyEx(thumbnail, cv2.MORPH_OPEN, _ellipse(OPEN))
    insets = [0, 0, 0, 0]  # top, right, bottom, left
    for turn in (0, 1, 2, 3) * 2:
        top, right, bottom, left = (insets[(side + turn) % 4] for side in range(4))
        view = np.rot90(letterless, turn)
        view = view[top : view.shape[0] - bottom, left : view.shape[1] - right]
        insets[turn] += _lines_to_peel(np.ascontiguousarray(view))
    top, right, bottom, left = insets
    height, width = thumbnail.shape
    return top, left, height - top - bottom, width - left - right


def _lines_to_peel(view: NDArray[np.uint8]) -> int:
    """Count the rows above the innermost straight line with nothing outside it.

    The guard on the outside matters: without it a limb with an exactly vertical
    outline would be taken for a collimator and lose half of itself.
    """
    steps = np.abs(cv2.Sobel(view, cv2.CV_16S, 0, 1))
    steep = cv2.dilate((steps > LINE_STEP).astype(np.uint8), np.ones((3, 1), np.uint8))
    share = steep[: round(OUTER * view.shape[0])].mean(axis=1)
    margin = round(LINE_MARGIN * THUMBNAIL_PX)
    for row in np.flatnonzero(share > LINE_LENGTH)[::-1]:
        outside = view[: max(1, row - margin)]
        low, high = np.percentile(outside, (3, 97))
        if high - low < FLAT_SPREAD:
            return int(row) + margin
    return 0


def _edge_box(
    thumbnail: NDArray[np.uint8], field: tuple[int, int, int, int]
) -> tuple[int, int, int, int] | None:
    """Find the rectangle around the long edges inside the field, or None."""
    top, left, height, width = field
    edges = _edges(thumbnail[top : top + height, left : left + width])
    _, _, stats, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    sides = stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    long = stats[1:][sides.max(axis=1) >= SMALLEST_COMPONENT * THUMBNAIL_PX]
    if not len(long):
        return None
    margin = round(BOX_MARGIN * THUMBNAIL_PX)
    first = np.maximum(long[:, [1, 0]].min(axis=0) - margin, 0)
    last = (long[:, [1, 0]] + long[:, [3, 2]]).max(axis=0) + margin
    last = np.minimum(last, (height, width))
    box_height, box_width = (int(n) for n in last - first)
    if box_height * box_width < SMALLEST_AREA * height * width:
        return None
    if box_height < SMALLEST_BOX_SIDE * height or box_width < SMALLEST_BOX_SIDE * width:
        return None
    return top + int(first[0]), left + int(first[1]), box_height, box_width


def _edges(inner: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Close, remove letters, equalise and trace edges (0 or 255)."""
    calm = cv2.morphologyEx(inner, cv2.MORPH_CLOSE, _ellipse(CLOSE))
    calm = cv2.morphologyEx(calm, cv2.MORPH_OPEN, _ellipse(OPEN))
    low, high = np.percentile(calm, (0.5, 99.5))
    calm = np.clip((calm - np.float32(low)) * (255 / max(high - low, 1.0)), 0, 255).astype(np.uint8)
    even = cv2.createCLAHE(2.0, (8, 8)).apply(calm)
    even = cv2.GaussianBlur(even, (0, 0), 2)
    across, down = cv2.Sobel(even, cv2.CV_16S, 1, 0), cv2.Sobel(even, cv2.CV_16S, 0, 1)
    slope = cv2.magnitude(across.astype(np.float32), down.astype(np.float32)) / 4
    otsu, _ = cv2.threshold(
        np.clip(slope, 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU
    )
    threshold = 4 * max(otsu, SMALLEST_SLOPE)
    return cv2.Canny(across, down, LOW_TO_HIGH * threshold, threshold, L2gradient=True)


def _to_source(
    box: tuple[int, int, int, int], small: tuple[int, int], source: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Scale a rectangle of the reduced copy up, outwards to whole source pixels."""
    ends = []
    for start, length, small_n, n in zip(box[:2], box[2:], small, source, strict=True):
        first = start * n // small_n
        ends.append((first, min(n, -(-(start + length) * n // small_n)) - first))
    (top, height), (left, width) = ends
    return top, left, height, width
