"""Draw one synthetic radiograph: skeleton, lesion, exposure, film, in that order."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worklist.synthetic.arm import elbow, forearm, humerus, shoulder
from worklist.synthetic.exposure import expose
from worklist.synthetic.film import (
    Film,
    Photometric,
    Rectangle,
    collimate,
    displayed_greys,
    finish,
    stored_values,
)
from worklist.synthetic.hand import finger, hand, wrist
from worklist.synthetic.lesions import Injured, Lesion, injure
from worklist.synthetic.shapes import Grid, Plane
from worklist.synthetic.skeleton import Random, Scene, Skeleton, Viewpoint

SKELETONS: dict[str, Callable[[Random], Skeleton]] = {
    "ELBOW": elbow,
    "FINGER": finger,
    "FOREARM": forearm,
    "HAND": hand,
    "HUMERUS": humerus,
    "SHOULDER": shoulder,
    "WRIST": wrist,
}
"""The seven body parts, as Body Part Examined (0018,0015) writes them."""

VIEWS: dict[str, dict[str, float]] = {
    "ELBOW": {"AP": 0, "LL": 80},
    "FINGER": {"PA": 0, "LL": 80, "OBL": 42},
    "FOREARM": {"AP": 0, "LL": 75},
    "HAND": {"PA": 0, "OBL": 38},
    "HUMERUS": {"AP": 0, "LL": 35},
    "SHOULDER": {"AP": 0, "OBL": 25},
    "WRIST": {"PA": 0, "LL": 80, "OBL": 40},
}
"""View positions per body part, each with the turn about the long axis in degrees."""


@dataclass(frozen=True)
class SyntheticRadiograph:
    """A drawn radiograph and the truth about it.

    Parameters
    ----------
    stored_values
        uint16, shape (rows, columns), 0...2**bits_stored - 1.
    body_part, view_position, laterality
        As in (0018,0015), (0018,5101) and (0020,0060).
    lesion
        What was drawn into it, or None.
    lesion_box
        Region that shows the lesion (top, left, height, width) in source pixels, or None.
    anatomy_box
        Soft tissue inside the collimated field (top, left, height, width) in source pixels.
    pixel_spacing_mm
        Side of a pixel.
    """

    stored_values: NDArray[np.uint16]
    bits_stored: int
    photometric_interpretation: Photometric
    body_part: str
    view_position: str
    laterality: str
    lesion: Lesion | None
    lesion_box: Rectangle | None
    anatomy_box: Rectangle
    pixel_spacing_mm: float
    seed: int

    @property
    def displayed_greys(self) -> Plane:
        """Return the greys as displayed, 0 black to 1 white, float32, (rows, columns)."""
        greys: Plane = self.stored_values.astype(np.float32) / np.float32(2**self.bits_stored - 1)
        return 1 - greys if self.photometric_interpretation == "MONOCHROME1" else greys


def draw_radiograph(
    body_part: str,
    view_position: str,
    *,
    seed: int,
    lesion: Lesion | None = None,
    size: tuple[int, int] = (1250, 1000),
    film: Film | None = None,
) -> SyntheticRadiograph:
    """Draw a synthetic radiograph; the same arguments give the same array.

    Parameters
    ----------
    body_part
        One of `SKELETONS`.
    view_position
        One of `VIEWS[body_part]`.
    seed
        The patient: with and without a lesion, and at every size, the same person is drawn.
    size
        Rows and columns in pixels.
    film
        How it is taken and stored; by default a 12-bit MONOCHROME2 image with a marker.
    """
    film = film or Film()
    person, event, device, grains = (np.random.default_rng([seed, stream]) for stream in range(4))
    skeleton = SKELETONS[body_part](person)
    laterality = "L" if person.random() < 0.5 else "R"
    grid = _grid(size, skeleton.field_mm)
    scene = _viewpoint(VIEWS[body_part][view_position], laterality, person).scene(skeleton)
    field = collimate(film, size, device)
    injured = _injured(scene, lesion, event, (field, grid))
    exposure = expose(injured.scene if injured else scene, grid, grains, film.noise)
    greys = displayed_greys(exposure, grid, device, film)
    greys = finish(greys, field, film, flesh=exposure.flesh, letter=laterality)
    return SyntheticRadiograph(
        stored_values=stored_values(greys, film),
        bits_stored=film.bits_stored,
        photometric_interpretation=film.photometric_interpretation,
        body_part=body_part,
        view_position=view_position,
        laterality=laterality,
        lesion=lesion,
        lesion_box=_pixels(injured, field, grid) if injured else None,
        anatomy_box=_anatomy_box(exposure.flesh, field),
        pixel_spacing_mm=grid.pixel_mm,
        seed=seed,
    )


def _grid(size: tuple[int, int], field_mm: tuple[float, float]) -> Grid:
    """Return the grid that shows the whole field."""
    return Grid(*size, max(field_mm[0] / size[0], field_mm[1] / size[1]))


def _viewpoint(degrees: float, laterality: str, random: Random) -> Viewpoint:
    """Return how this person lies under the tube."""
    return Viewpoint(
        turn=float(np.radians(degrees + random.normal(0, 4))),
        tilt=float(np.radians(np.clip(random.normal(0, 4), -9, 9))),
        scale=float(random.uniform(0.9, 1.06)),
        mirror=1 if laterality == "L" else -1,
        shift_mm=(float(random.normal(0, 4)), float(random.normal(0, 4))),
    )


def _injured(
    scene: Scene, lesion: Lesion | None, random: Random, where: tuple[Rectangle, Grid]
) -> Injured | None:
    """Return the scene with the lesion, or None for a normal one."""
    if lesion is None:
        return None
    (_, _, height, width), grid = where
    return injure(scene, lesion, random, (height * grid.pixel_mm * 0.96, width * grid.pixel_mm * 0.96))


def _pixels(injured: Injured, field: Rectangle, grid: Grid) -> Rectangle:
    """Return the region of the lesion in source pixels, clipped to the field."""
    top, left, height, width = field
    column, row = grid.x_mm[0], grid.y_mm[0]
    rows = [(y - row) / grid.pixel_mm for y in (injured.low[1], injured.high[1])]
    columns = [(x - column) / grid.pixel_mm for x in (injured.low[0], injured.high[0])]
    first_row, last_row = (int(np.clip(v, top, top + height)) for v in rows)
    first_column, last_column = (int(np.clip(v, left, left + width)) for v in columns)
    return first_row, first_column, last_row - first_row, last_column - first_column


def _anatomy_box(flesh: Plane, field: Rectangle) -> Rectangle:
    """Return the box of the soft tissue inside the field."""
    top, left, height, width = field
    inside = flesh[top : top + height, left : left + width] > 0
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if rows.size == 0:
        return field
    return (
        top + int(rows[0]),
        left + int(columns[0]),
        int(rows[-1] - rows[0] + 1),
        int(columns[-1] - columns[0] + 1),
    )
