"""From a scene to what the detector measures: absorption, scatter, noise."""

from dataclasses import dataclass
from itertools import groupby

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_matrix

from worklist.synthetic.shapes import Grid, Plane, Tube, draw
from worklist.synthetic.skeleton import Part, Random, Scene

# Absorption per mm of path, chosen so that the greys look like a film at 55-60 kV.
_FAT, _MUSCLE, _CORTEX, _MARROW, _METAL = 0.010, 0.019, 0.085, 0.021, 0.45
_COARSE_MM = 0.3  # soft tissue and scatter have no finer detail than this
_GRAIN_MM = (0.55, 1.5)  # spacing of the trabecular pattern, fine and coarse


@dataclass(frozen=True)
class Exposure:
    """What reached the detector.

    Parameters
    ----------
    density
        Logarithm of the absorption, 0 in air, float32, shape (rows, columns).
    flesh
        Path through soft tissue in mm, float32, shape (rows, columns).
    brightest
        Density that shall be shown nearly white: that of the densest bone, never of metal.
    """

    density: Plane
    flesh: Plane
    brightest: float


def expose(scene: Scene, grid: Grid, random: Random, noise: float) -> Exposure:
    """Return the density of a scene.

    Parameters
    ----------
    noise
        1 is a usual dose; 0 gives no noise.

    Notes
    -----
    Quantum noise is drawn per pixel and scaled with the pixel's area, so that an image drawn
    small looks like a large one made smaller.
    """
    coarse = _coarser(grid)
    tissue, outer = _flesh(scene.flesh, coarse)
    bone = _bone(scene.bones, grid, random)
    tissue, outer = enlarged(tissue, grid), enlarged(outer, grid)
    # Bone displaces the flesh in its place; a bone never reaches out of the skin much.
    absorbed = tissue + bone
    step = max(1, round(2.0 / grid.pixel_mm))
    sample = absorbed[::step, ::step]
    inside = outer[::step, ::step] > 0
    brightest = float(np.percentile(sample[inside], 99.3)) if inside.any() else 1.0
    for tube in scene.metal:
        _add(absorbed, tube, grid, _METAL)
    return Exposure(_detected(absorbed, grid, random, noise), outer, brightest)


def _coarser(grid: Grid) -> Grid:
    """Return the grid on which slow structures are drawn."""
    factor = max(1.0, _COARSE_MM / grid.pixel_mm)
    rows, columns = max(8, round(grid.rows / factor)), max(8, round(grid.columns / factor))
    return Grid(rows, columns, grid.pixel_mm * grid.rows / rows)


def _flesh(parts: tuple[Part, ...], grid: Grid) -> tuple[Plane, Plane]:
    """Return absorption of the soft tissue, and the path through it in mm."""
    outer, muscle = grid.zeros(), grid.zeros()
    for part in parts:
        drawn = draw(_with_fat(part.tube), grid)
        if drawn is None:
            continue
        # Fourth powers add up to a smooth union: no seam where two parts meet.
        outer[drawn.window] += np.square(np.square(drawn.shell + drawn.inside))
        muscle[drawn.window] += np.square(np.square(drawn.inside))
    outer, muscle = np.sqrt(np.sqrt(outer)), np.sqrt(np.sqrt(muscle))
    absorbed = np.float32(_FAT) * outer + np.float32(_MUSCLE - _FAT) * muscle
    return gaussian_filter(absorbed, 0.5 / grid.pixel_mm), outer


def _with_fat(tube: Tube) -> Tube:
    """Give soft tissue its layer of fat: a sixth of the half-width."""
    return Tube(
        tube.start,
        tube.end,
        tube.half_width_mm,
        tube.outline,
        cortex_mm=0.16 * tube.half_width_mm,
        depth=tube.depth,
        bend_mm=tube.bend_mm,
    )


def _bone(parts: tuple[Part, ...], grid: Grid, random: Random) -> Plane:
    """Return the absorption of all bones with their trabecular pattern."""
    total = grid.zeros()
    marrow = grid.zeros()
    for _, group in groupby(sorted(parts, key=lambda p: p.name), key=lambda p: p.name):
        tubes = [part.tube for part in group]
        if len(tubes) == 1:
            _add_bone(total, marrow, tubes[0], grid)
        else:
            _add_union(total, marrow, tubes, grid)
    pattern = _pattern(grid, random)
    pattern *= np.float32(_MARROW)
    pattern += np.float32(_MARROW)
    marrow *= pattern
    total += marrow
    return total


def _add_bone(total: Plane, marrow: Plane, tube: Tube, grid: Grid) -> None:
    """Add one tube to the planes of cortex absorption and marrow path."""
    drawn = draw(tube, grid)
    if drawn is not None:
        total[drawn.window] += np.float32(_CORTEX) * drawn.shell
        marrow[drawn.window] += drawn.inside


def _add_union(total: Plane, marrow: Plane, tubes: list[Tube], grid: Grid) -> None:
    """Add a bone of several parts: where they overlap, the larger path counts."""
    pieces = [piece for tube in tubes if (piece := draw(tube, grid)) is not None]
    if not pieces:
        return
    rows = slice(min(p.window[0].start for p in pieces), max(p.window[0].stop for p in pieces))
    columns = slice(min(p.window[1].start for p in pieces), max(p.window[1].stop for p in pieces))
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    shell, inside = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for piece in pieces:
        here = tuple(
            slice(w.start - o.start, w.stop - o.start)
            for w, o in zip(piece.window, (rows, columns), strict=True)
        )
        np.maximum(shell[here], piece.shell, out=shell[here])
        np.maximum(inside[here], piece.inside, out=inside[here])
    total[rows, columns] += np.float32(_CORTEX) * shell
    marrow[rows, columns] += inside


def _add(plane: Plane, tube: Tube, grid: Grid, weight: float) -> None:
    """Add a solid tube with `weight` per mm of path."""
    drawn = draw(tube, grid)
    if drawn is not None:
        plane[drawn.window] += np.float32(weight) * (drawn.shell + drawn.inside)


def _pattern(grid: Grid, random: Random) -> Plane:
    """Return the trabecular pattern, about -0.6...0.6, the same at every pixel size."""
    height, width = grid.rows * grid.pixel_mm, grid.columns * grid.pixel_mm
    pattern = grid.zeros()
    for spacing, strength in zip(_GRAIN_MM, (0.2, 0.13), strict=True):
        shape = (int(height / spacing) + 2, int(width / spacing) + 2)
        grain = random.standard_normal(shape, dtype=np.float32) * np.float32(strength)
        pattern += enlarged(gaussian_filter(grain, 0.6) * np.float32(2.2), grid)
    return pattern


def enlarged(small: Plane, grid: Grid) -> Plane:
    """Stretch a small plane over the grid by linear interpolation."""
    if small.shape == (grid.rows, grid.columns):
        return small
    down = _weights(grid.rows, small.shape[0])
    across = _weights(grid.columns, small.shape[1])
    narrow = down @ small
    return np.ascontiguousarray((across @ narrow.T).T, np.float32)


def _weights(count: int, samples: int) -> csr_matrix:
    """Return the matrix that interpolates `samples` values at `count` places."""
    place = (np.arange(count) + 0.5) * samples / count - 0.5
    place = np.clip(place, 0, samples - 1.001)
    left = place.astype(np.int32)
    right_share = (place - left).astype(np.float32)
    rows = np.repeat(np.arange(count), 2)
    columns = np.stack([left, left + 1], 1).ravel()
    values = np.stack([1 - right_share, right_share], 1).ravel()
    return csr_matrix((values, (rows, columns)), (count, samples), dtype=np.float32)


def _detected(absorbed: Plane, grid: Grid, random: Random, noise: float) -> Plane:
    """Return the density after scatter, unequal exposure and quantum noise."""
    through = np.exp(-absorbed)
    step = max(1, round(2.0 / grid.pixel_mm))
    veil = gaussian_filter(through[::step, ::step], 14.0 / (step * grid.pixel_mm))
    through += enlarged(veil * np.float32(0.09), grid)
    slope = random.uniform(-0.07, 0.07, 2)
    heel = 1 + np.outer(np.linspace(-slope[0], slope[0], grid.rows), np.ones(1))
    through *= (heel + np.linspace(-slope[1], slope[1], grid.columns)[None, :]).astype(np.float32)
    if noise > 0:
        grains = random.standard_normal(through.shape, dtype=np.float32)
        grains *= np.float32(0.0016 * noise / grid.pixel_mm) * np.sqrt(through)
        through += grains
    return -np.log(np.maximum(through, 0.004)) + np.float32(np.log(1.09))
