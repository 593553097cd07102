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

PREPROCESSING_VERSION = 2
"""Raise it with any change that alters a crop or a square: analyses carry it."""

Greys = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
Rectangle = tuple[int, int, int, int]

SMALLEST_SIDE_PX = 32
THUMBNAIL_PX = 512

# Lengths are fractions of the longer side of the reduced copy, greys are 0…255 on it.
# Tuned on 340 synthetic radiographs of other seeds than the tests and the benchmark draw.
CLOSE = 0.012
OPEN = 0.022
SMALLEST_PIECE = 0.015
GAP = 0.015
SMALLEST_EDGE = 0.2
BORDER = 0.12
BORDER_LINE = 0.15
SCATTERED = 0.2  # a share of the edges
BOX_MARGIN = 0.012
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
        In source pixels. Its reason tells of a fall-back: all edges, the inside
        of the collimator, or the whole image.

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
    box, reason = _edge_box(thumbnail, field)
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
    rows = np.flatnonzero(share > LINE_LENGTH)
    if not len(rows):
        return 0
    profile = np.median(view[: rows[-1] + 1], axis=1)
    range_above = np.maximum.accumulate(profile) - np.minimum.accumulate(profile)
    for row in rows[::-1]:
        end = max(1, row - 3)
        if range_above[end - 1] > FLAT_PROFILE:
            continue
        low, high = np.percentile(view[:end], (3, 97))
        if high - low < FLAT_SPREAD and (high <= blanks[0] or low >= blanks[1]):
            return int(row) + round(LINE_MARGIN * THUMBNAIL_PX)
    return 0


def _edge_box(thumbnail: NDArray[np.float32], field: Rectangle) -> tuple[Rectangle, str]:
    """Find the rectangle around the long edges inside the field, or a larger one and why."""
    _, _, height, width = field
    edges = _edges(thumbnail, field)
    pieces = _pieces(edges)
    long_edges = _long_edges(pieces)
    if not long_edges.any():
        return _without_edges(thumbnail, field)
    box, reason = _around(long_edges, field), ""
    outside = pieces.copy()
    outside[box[0] : box[0] + box[2], box[1] : box[1] + box[3]] = False
    if outside.sum() > SCATTERED * pieces.sum():
        box, reason = _around(pieces, field), "the edges lie scattered; all of them kept"
    is_too_small = box[2] * box[3] < SMALLEST_AREA * height * width
    if is_too_small or box[2] < SMALLEST_SIDE * height or box[3] < SMALLEST_SIDE * width:
        return _without_edges(thumbnail, field)
    return box, reason


def _without_edges(thumbnail: NDArray[np.float32], field: Rectangle) -> tuple[Rectangle, str]:
    """Fall back to the field, and say what that is."""
    used = "whole image used" if field == (0, 0, *thumbnail.shape) else "inside of the collimator used"
    return field, f"no edges of anatomy found; {used}"


def _around(edges: NDArray[np.bool_], field: Rectangle) -> Rectangle:
    """Give the rectangle around edges, with a margin inside the field."""
    margin = round(BOX_MARGIN * THUMBNAIL_PX)
    starts, ends = [], []
    for axis in (0, 1):
        places = np.flatnonzero(edges.any(axis=1 - axis))
        starts.append(max(field[axis], int(places[0]) - margin))
        ends.append(min(field[axis] + field[axis + 2], int(places[-1]) + 1 + margin))
    return starts[0], starts[1], ends[0] - starts[0], ends[1] - starts[1]


def _pieces(edges: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Drop specks, and what a frame or the collimator left: straight lines near the border."""
    is_line = _border_lines(edges)
    # Lines that are most of what there is are no remains but a very straight limb.
    if 2 * np.count_nonzero(edges[is_line]) < np.count_nonzero(edges):
        edges = np.where(is_line, 0, edges).astype(np.uint8)
    _, labels, found, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    is_piece = _longer_side(found) >= SMALLEST_PIECE * THUMBNAIL_PX
    is_piece[0] = False  # the background
    return np.asarray(is_piece[labels], np.bool_)


def _border_lines(edges: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark long straight lines that run along a border of the image, near it."""
    length, zone = round(BORDER_LINE * THUMBNAIL_PX), round(BORDER * THUMBNAIL_PX)
    thick = cv2.dilate(edges, np.ones((3, 3), np.uint8))
    level = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    level[zone:-zone] = 0
    upright = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    upright[:, zone:-zone] = 0
    return np.asarray((level | upright) > 0, np.bool_)


def _long_edges(pieces: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the pieces that form something long once the gaps between them are closed.

    A line of text that runs into a bright border is long too: what lies in one border strip does not count
    when there is something elsewhere.
    """
    linked = cv2.dilate(pieces.astype(np.uint8), _ellipse(GAP))
    _, groups, found, _ = cv2.connectedComponentsWithStats(linked, connectivity=8)
    is_long = _longer_side(found) >= SMALLEST_EDGE * THUMBNAIL_PX
    is_long[0] = False  # the background
    is_elsewhere = is_long & ~_in_border_strip(found, pieces.shape)
    return np.asarray(pieces & (is_elsewhere if is_elsewhere.any() else is_long)[groups], np.bool_)


def _in_border_strip(found: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Say of each connected component if it lies in the strip along one border."""
    zone = round(BORDER * THUMBNAIL_PX)
    inside = np.zeros(len(found), np.bool_)
    starts, lengths = (cv2.CC_STAT_TOP, cv2.CC_STAT_LEFT), (cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH)
    for start, length, n in zip(starts, lengths, shape, strict=True):
        inside |= (found[:, start] + found[:, length] <= zone) | (found[:, start] >= n - zone)
    return inside


def _longer_side(found: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give the longer side of each connected component from OpenCV's statistics."""
    return np.maximum(found[:, cv2.CC_STAT_WIDTH], found[:, cv2.CC_STAT_HEIGHT])


def _edges(thumbnail: NDArray[np.float32], field: Rectangle) -> NDArray[np.uint8]:
    """Close, remove letters, equalise and trace edges inside the field (0 or 255)."""
    calm = cv2.morphologyEx(thumbnail, cv2.MORPH_CLOSE, _ellipse(CLOSE))
    # Opened before it is cut, since a letter that the field cuts through would stay.
    calm = cv2.morphologyEx(calm, cv2.MORPH_OPEN, _ellipse(OPEN))
    inside = np.s_[field[0] : field[0] + field[2], field[1] : field[1] + field[3]]
    calm = calm[inside]
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
    edges = np.zeros(thumbnail.shape, np.uint8)
    edges[inside] = cv2.Canny(across, down, LOW_TO_HIGH * threshold, threshold, L2gradient=True)
    return edges


def _to_source(box: Rectangle, small: tuple[int, ...], source: tuple[int, int]) -> Rectangle:
    """Scale a rectangle of the reduced copy up, outwards to whole source pixels."""
    ends = []
    for start, length, small_n, n in zip(box[:2], box[2:], small, source, strict=True):
        first = start * n // small_n
        ends.append((first, min(n, -(-(start + length) * n // small_n)) - first))
    (top, height), (left, width) = ends
    return top, left, height, width
