"""Tubes of cortex and marrow, and how much of each a ray meets on its way.

Everything is in millimetres: x grows to the right, y grows downwards. A tube has a
straight axis, a half-width that changes along it (its outline) and a shell of cortex.
A ray that runs across the tube meets most cortex where it grazes the wall: that is why
the edges of a shaft are bright on a radiograph.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import minimum_filter1d

from worklist.synthetic.outlines import OUTLINES

Plane = NDArray[np.float32]
Point = tuple[float, float]

_SAMPLES = 768  # along a tube; finer than a pixel at every size in use


@dataclass(frozen=True)
class Grid:
    """Where the pixel centres of a plane lie, in mm.

    Parameters
    ----------
    rows, columns
        Shape of the plane in pixels.
    pixel_mm
        Side of one pixel in mm.
    """

    rows: int
    columns: int
    pixel_mm: float

    @property
    def x_mm(self) -> Plane:
        """Column centres in mm, shape (columns,), 0 in the middle."""
        steps = np.arange(self.columns, dtype=np.float32)
        return (steps - np.float32((self.columns - 1) / 2)) * np.float32(self.pixel_mm)

    @property
    def y_mm(self) -> Plane:
        """Row centres in mm, shape (rows,), 0 in the middle."""
        steps = np.arange(self.rows, dtype=np.float32)
        return (steps - np.float32((self.rows - 1) / 2)) * np.float32(self.pixel_mm)

    def zeros(self) -> Plane:
        """Return an empty plane, float32, shape (rows, columns)."""
        return np.zeros((self.rows, self.columns), np.float32)


@dataclass(frozen=True)
class Cut:
    """A break line across a tube: what lies on the far side of it is not drawn.

    Parameters
    ----------
    at_mm
        Where the line meets the axis, mm from the start of the tube.
    slope
        Shift along the axis per mm across it: 0 transverse, 1 oblique at 45 degrees.
    keep
        -1 keeps what lies before the line, +1 what lies behind it.
    width_mm, phase
        Half-width of the bone there, to which the teeth of the line are scaled, and where the
        teeth begin in radians.
    """

    at_mm: float
    slope: float
    keep: int
    width_mm: float
    phase: float


@dataclass(frozen=True)
class Tube:
    """One bone or a part of one, seen from the front: lengths in mm.

    Parameters
    ----------
    start, end
        Ends of the axis (x, y).
    half_width_mm
        Unit of the outline: half the width of the shaft.
    outline
        Key of `outlines.OUTLINES`.
    cortex_mm
        Thickness of the shell at the middle of the shaft.
    depth
        Thickness along the ray divided by the width.
    bend_mm
        How far the middle of the axis bulges to the side.
    lean
        -1 or 1: to which side the outline is lopsided; 0 for neither.
    """

    start: Point
    end: Point
    half_width_mm: float
    outline: str
    cortex_mm: float = 2.0
    depth: float = 1.0
    bend_mm: float = 0.0
    lean: float = 1.0
    cuts: tuple[Cut, ...] = ()

    @property
    def length_mm(self) -> float:
        """Length of the axis."""
        return float(np.hypot(self.end[0] - self.start[0], self.end[1] - self.start[1]))

    def point(self, along: float, aside_mm: float = 0.0) -> Point:
        """Return the place a fraction `along` the axis and `aside_mm` to its side."""
        (x, y), (to_x, to_y) = self.start, self.end
        length = max(self.length_mm, 1e-6)
        across = (-(to_y - y) / length, (to_x - x) / length)
        return (
            x + along * (to_x - x) + aside_mm * across[0],
            y + along * (to_y - y) + aside_mm * across[1],
        )

    def width_at(self, along: float) -> float:
        """Return the half-width in mm a fraction `along` the axis."""
        _, half_width, _ = _sampled(self.outline)
        return float(half_width[int(np.clip(along, 0, 1) * (_SAMPLES - 1))] * self.half_width_mm)


@cache
def _sampled(outline: str) -> tuple[Plane, Plane, Plane]:
    """Return centre, half-width and cortex along an outline, each (_SAMPLES,), relative."""
    shape = OUTLINES[outline]
    along = np.linspace(0, 1, _SAMPLES)
    rows = np.asarray(shape.rows)
    centre, half_width, cortex = (PchipInterpolator(rows[:, 0], rows[:, column])(along) for column in (1, 2, 3))
    half_width = half_width * _cap(along, shape.start_cap) * _cap(1 - along, shape.end_cap)
    return centre.astype(np.float32), half_width.astype(np.float32), cortex.astype(np.float32)


def _cap(along: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """Round off an end: 0 at the tip, 1 from `length` (fraction of the axis) on."""
    if length <= 0:
        return np.ones_like(along)
    rest = 1 - np.clip(along / length, 0, 1)
    return np.sqrt(1 - rest**2)


@dataclass(frozen=True)
class Drawn:
    """What a tube adds to a window of the plane, mm of path, float32."""

    window: tuple[slice, slice]
    shell: Plane
    inside: Plane


def draw(tube: Tube, grid: Grid) -> Drawn | None:
    """Return the path lengths through a tube for each ray, or None outside the grid.

    Returns
    -------
    Drawn
        `shell` is the path through cortex, `inside` the path through marrow, in mm, over
        the window of the grid that holds the tube.
    """
    window = _window(tube, grid)
    if window is None:
        return None
    along, across = _local(tube, grid, window)
    centre, outer_squared, inner_squared = _lookup(tube)
    place = (along * np.float32((_SAMPLES - 1) / max(tube.length_mm, 1e-6))).astype(np.int32)
    np.clip(place, 0, _SAMPLES - 1, out=place)
    aside = np.square(across - centre[place])
    outer = np.sqrt(np.maximum(outer_squared[place] - aside, 0))
    inner = np.sqrt(np.maximum(inner_squared[place] - aside, 0))
    outer *= np.float32(2 * tube.depth)
    inner *= np.float32(2 * tube.depth)
    for cut in tube.cuts:
        kept = _kept(cut, along, across)
        outer *= kept
        inner *= kept
    outer -= inner
    return Drawn(window, outer, inner)


def _window(tube: Tube, grid: Grid) -> tuple[slice, slice] | None:
    """Return the part of the grid a tube can touch."""
    centre, half_width, _ = _sampled(tube.outline)
    reach = float(np.max(half_width + np.abs(centre))) * tube.half_width_mm + abs(tube.bend_mm) + 1
    slices = []
    for axis, (count, first) in enumerate(((grid.columns, grid.x_mm[0]), (grid.rows, grid.y_mm[0]))):
        low = min(tube.start[axis], tube.end[axis]) - reach
        high = max(tube.start[axis], tube.end[axis]) + reach
        begin = max(0, int((low - first) / grid.pixel_mm))
        end = min(count, int((high - first) / grid.pixel_mm) + 2)
        if end <= begin:
            return None
        slices.append(slice(begin, end))
    return slices[1], slices[0]


def _local(tube: Tube, grid: Grid, window: tuple[slice, slice]) -> tuple[Plane, Plane]:
    """Return mm along and across the axis for each pixel of the window."""
    x = grid.x_mm[window[1]] - np.float32(tube.start[0])
    y = grid.y_mm[window[0]] - np.float32(tube.start[1])
    length = max(tube.length_mm, 1e-6)
    to_x = np.float32((tube.end[0] - tube.start[0]) / length)
    to_y = np.float32((tube.end[1] - tube.start[1]) / length)
    along = (x * to_x)[None, :] + (y * to_y)[:, None]
    across = (x * -to_y)[None, :] + (y * to_x)[:, None]
    return along, across


def _lookup(tube: Tube) -> tuple[Plane, Plane, Plane]:
    """Return centre (mm), squared outer and squared inner half-width (mm2), (_SAMPLES,)."""
    centre, half_width, cortex = _sampled(tube.outline)
    along = np.linspace(0, 1, _SAMPLES, dtype=np.float32)
    bow = np.float32(4 * tube.bend_mm) * along * (1 - along)
    outer = half_width * np.float32(tube.half_width_mm)
    shell = cortex * np.float32(tube.cortex_mm)
    # The marrow ends one cortex before the bone does: the smallest width nearby counts.
    reach = max(1, int(tube.cortex_mm * 0.7 / max(tube.length_mm, 1e-6) * _SAMPLES))
    inner = np.maximum(minimum_filter1d(outer, 2 * reach + 1, mode="constant") - shell, 0)
    shift = centre * np.float32(tube.half_width_mm * tube.lean) + bow
    return shift.astype(np.float32), np.square(outer), np.square(inner).astype(np.float32)


def _kept(cut: Cut, along: Plane, across: Plane) -> Plane:
    """Return 1 where a cut leaves the tube, 0 behind it, with an edge of half a mm."""
    pitch = across / np.float32(max(cut.width_mm, 1.0))
    teeth = np.sin(pitch * np.float32(2.3) + np.float32(cut.phase))
    teeth += np.float32(0.6) * np.sin(pitch * np.float32(6.1) + np.float32(2 * cut.phase))
    teeth += np.float32(0.3) * np.sin(pitch * np.float32(13.7) + np.float32(5 * cut.phase))
    line = np.float32(cut.at_mm) + np.float32(cut.slope) * across
    line += np.float32(0.09 * cut.width_mm) * teeth
    distance = np.float32(cut.keep * 2) * (along - line) + np.float32(0.5)
    return np.asarray(np.clip(distance, 0, 1), np.float32)
