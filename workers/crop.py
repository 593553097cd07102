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
Rectangle = tuple[int, int, int, int]

SMALLEST_SIDE_PX = 32
THUMBNAIL_PX = 512

# Lengths are fractions of the longer side of the reduced copy, greys are 0…255 on it.
# Tuned on 240 synthetic radiographs of other seeds than the tests and the benchmark draw.
CLOSE = 0.012
OPEN = 0.022
SMALLEST_EDGE = 0.1
BOX_MARGIN = 0.02
SMALLEST_AREA = 0.06
SMALLEST_SIDE = 0.12

# A frame or the shadow of a collimator: a line in the outer part of the image, over this share of its side.
LINE_LENGTH = 0.5
LINE_MARGIN = 0.004
LINE_STEP = 6
OUTER = 0.3
FLAT_SPREAD = 30
FLAT_PROFILE = 3
BLANK_RANGE = 20

# A slope is an edge when it stands out of the image's other slopes and of the noise around it.
SMALLEST_SLOPE = 6
LOW_TO_HIGH = 0.4
SLOPE_TO_NOISE = 3
NOISE_WINDOW_PX = 41


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
    def rectangle(self) -> Rectangle:
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
        Displayed greys (rows, columns), uint8, uint16 or float32 of any range;
        larger is brighter.

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
    return Crop(*_to_source(box, thumbnail.shape, (rows, columns)), reason)


def _thumbnail(greys: Greys) -> NDArray[np.float32] | None:
    """Scale to 512 pixels on the longer side and window to 0…255; None if flat.

    Something like a square root lifts the soft tissue, whose outline is faint beside the bones'.
    """
    scale = THUMBNAIL_PX / max(greys.shape)
    size = [max(1, round(n * scale)) for n in reversed(greys.shape)]
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(greys), size, interpolation=interpolation).astype(np.float32)
    if not np.isfinite(small).all():
        raise ValueError("the greys hold values that are not finite numbers")
    low, high = np.percentile(small, (0.5, 99.5))
    if high <= low:
        low, high = float(small.min()), float(small.max())
    if high <= low:
        return None
    windowed = np.clip((small - low) / (high - low), 0, 1)
    lifted = np.sqrt(windowed + 0.05) - np.sqrt(0.05)
    return np.asarray(lifted * (255 / (np.sqrt(1.05) - np.sqrt(0.05))), np.float32)


def _ellipse(fraction: float) -> NDArray[np.uint8]:
    """Give a round kernel whose diameter is a fraction of the reduced copy."""
    diameter = round(fraction * THUMBNAIL_PX) | 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)), np.uint8)


def _field(thumbnail: NDArray[np.float32]) -> Rectangle:
    """Peel a frame and the shadow of the collimator off, side by side, twice.

    Returns (top, left, height, width) in pixels of the reduced copy.
    """
    letterless = cv2.morphologyEx(thumbnail, cv2.MORPH_OPEN, _ellipse(OPEN))
    darkest, brightest = np.percentile(letterless, (2, 98))
    blanks = (float(darkest) + BLANK_RANGE, float(brightest) - BLANK_RANGE)
    insets = [0, 0, 0, 0]  # top, right, bottom, left
    for turn in (0, 1, 2, 3) * 2:
        top, right, bottom, left = (insets[(side + turn) % 4] for side in range(4))
        view = np.rot90(letterless, turn)
        view = view[top : view.shape[0] - bottom, left : view.shape[1] - right]
        insets[turn] += _rows_to_peel(np.ascontiguousarray(view), blanks)
    top, right, bottom, left = insets
    height, width = thumbnail.shape
    return top, left, height - top - bottom, width - left - right


def _rows_to_peel(view: NDArray[np.float32], blanks: tuple[float, float]) -> int:
    """Count the rows down to the innermost straight line that has nothing above it.

    Nothing means: flat, and as dark or as bright as the image gets. Without these
    guards a limb with an exactly straight outline would be taken for a collimator
    and lose half of itself. A narrow finger hardly moves the percentiles of what
    lies above the line, but it does move the profile across it.
    """
    if min(view.shape) < SMALLEST_SIDE_PX:
        return 0
    steps = np.abs(cv2.blur(cv2.Sobel(view, cv2.CV_32F, 0, 1), (21, 1)))
    is_step = cv2.dilate((steps > LINE_STEP).astype(np.uint8), np.ones((3, 1), np.uint8))
    share = is_step[: round(OUTER * view.shape[0])].mean(axis=1)
    for row in np.flatnonzero(share > LINE_LENGTH)[::-1]:
        above = view[: max(1, row - 3)]
        low, high = np.percentile(above, (3, 97))
        is_blank = high <= blanks[0] or low >= blanks[1]
        if is_blank and high - low < FLAT_SPREAD and np.ptp(np.median(above, axis=1)) <= FLAT_PROFILE:
            return int(row) + round(LINE_MARGIN * THUMBNAIL_PX)
    return 0


def _edge_box(thumbnail: NDArray[np.float32], field: Rectangle) -> Rectangle | None:
    """Find the rectangle around the long edges inside the field, or None if it would be too small."""
    top, left, height, width = field
    edges = _edges(thumbnail[top : top + height, left : left + width])
    _, _, found, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    starts, sizes = found[1:, [1, 0]], found[1:, [3, 2]]  # OpenCV's (x, y) ends here.
    is_long = sizes.max(axis=1) >= SMALLEST_EDGE * THUMBNAIL_PX
    if not is_long.any():
        return None
    margin = round(BOX_MARGIN * THUMBNAIL_PX)
    start = np.maximum(starts[is_long].min(axis=0) - margin, 0)
    end = np.minimum((starts + sizes)[is_long].max(axis=0) + margin, (height, width))
    box_height, box_width = (int(n) for n in end - start)
    is_too_small = box_height * box_width < SMALLEST_AREA * height * width
    if is_too_small or box_height < SMALLEST_SIDE * height or box_width < SMALLEST_SIDE * width:
        return None
    return top + int(start[0]), left + int(start[1]), box_height, box_width


def _edges(inner: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Close, remove letters, equalise and trace edges (0 or 255)."""
    calm = cv2.morphologyEx(inner, cv2.MORPH_CLOSE, _ellipse(CLOSE))
    calm = cv2.morphologyEx(calm, cv2.MORPH_OPEN, _ellipse(OPEN))
    low, high = np.percentile(calm, (0.5, 99.5))
    calm = np.clip((calm - low) * (255 / max(high - low, 1)), 0, 255).astype(np.uint8)
    even = cv2.createCLAHE(2.0, (8, 8)).apply(calm)
    # A median removes what noise the equalisation has raised and leaves the faint outline of the skin sharp.
    smooth = cv2.GaussianBlur(cv2.medianBlur(even, 7), (0, 0), 2)
    across, down = cv2.Sobel(smooth, cv2.CV_16S, 1, 0), cv2.Sobel(smooth, cv2.CV_16S, 0, 1)
    slope = cv2.magnitude(across.astype(np.float32), down.astype(np.float32)) / 4
    noise = cv2.blur(cv2.absdiff(even, smooth).astype(np.float32), (NOISE_WINDOW_PX, NOISE_WINDOW_PX))
    across[slope < SLOPE_TO_NOISE * noise] = 0
    down[slope < SLOPE_TO_NOISE * noise] = 0
    otsu, _ = cv2.threshold(
        np.clip(slope, 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU
    )
    threshold = 4 * max(otsu, SMALLEST_SLOPE)
    return np.asarray(cv2.Canny(across, down, LOW_TO_HIGH * threshold, threshold, L2gradient=True), np.uint8)


def _to_source(box: Rectangle, small: tuple[int, ...], source: tuple[int, int]) -> Rectangle:
    """Scale a rectangle of the reduced copy up, outwards to whole source pixels."""
    ends = []
    for start, length, small_n, n in zip(box[:2], box[2:], small, source, strict=True):
        first = start * n // small_n
        ends.append((first, min(n, -(-(start + length) * n // small_n)) - first))
    (top, height), (left, width) = ends
    return top, left, height, width
