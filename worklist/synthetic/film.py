"""From density to stored values: tone curve, collimator, lead marker, text, frame."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from worklist.synthetic.exposure import Exposure, enlarged
from worklist.synthetic.lettering import lettering
from worklist.synthetic.shapes import Grid, Plane
from worklist.synthetic.skeleton import Random

Photometric = Literal["MONOCHROME1", "MONOCHROME2"]
Rectangle = tuple[int, int, int, int]


@dataclass(frozen=True)
class Film:
    """How a radiograph is taken and stored, apart from the patient.

    Parameters
    ----------
    photometric_interpretation
        MONOCHROME1 stores small values for white.
    bits_stored
        8 to 16.
    noise
        1 is a usual dose; 0 gives no noise.
    is_collimated
        The field is smaller than the detector.
    border
        How the detector outside the collimator is displayed: a black shutter, or white because
        it was not exposed.
    frame
        A strip of one grey along the edge of the image, as digitised films have it.
    has_marker
        A lead letter L or R lies in the field.
    text
        Burned-in letters at the upper edge; empty for none.
    gamma
        Exponent of the tone curve, beside that of each exposure; above 1 is darker.
    veil
        Share of the greys, 0...1, that scattered light takes: black becomes this grey.
    marker_scale
        Size of the lead letter; 1 is a 20th of the image or so.
    """

    photometric_interpretation: Photometric = "MONOCHROME2"
    bits_stored: int = 12
    noise: float = 1.0
    is_collimated: bool = True
    border: Literal["black", "white"] = "black"
    frame: Literal["white", "black"] | None = None
    has_marker: bool = True
    text: str = ""
    gamma: float = 1.0
    veil: float = 0.0
    marker_scale: float = 1.0


def random_film(random: Random) -> Film:
    """Return a film as a department with several devices would give."""
    return Film(
        photometric_interpretation="MONOCHROME1" if random.random() < 0.25 else "MONOCHROME2",
        bits_stored=int(random.choice((10, 12, 12, 14))),
        noise=float(random.uniform(0.5, 1.8)),
        is_collimated=bool(random.random() < 0.8),
        border="white" if random.random() < 0.2 else "black",
        frame=("white", "black")[int(random.integers(2))] if random.random() < 0.2 else None,
        has_marker=bool(random.random() < 0.75),
        text=f"SYN-{random.integers(10**6):06d} {random.integers(50, 65)}KV" if random.random() < 0.4 else "",
    )


def collimate(film: Film, shape: tuple[int, int], random: Random) -> Rectangle:
    """Return the exposed field (top, left, height, width) in pixels."""
    rows, columns = shape
    margins = random.uniform(0.015, 0.09, 4)
    if not film.is_collimated:
        return 0, 0, rows, columns
    top, left = int(margins[0] * rows), int(margins[1] * columns)
    return top, left, rows - top - int(margins[2] * rows), columns - left - int(margins[3] * columns)


def displayed_greys(exposure: Exposure, grid: Grid, random: Random, film: Film) -> Plane:
    """Return greys 0...1 of the whole detector, bone bright, with detail enhanced.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
        0 is black (air), 1 white.
    """
    gamma = np.float32(random.uniform(0.8, 1.1))
    white = np.float32(exposure.brightest * random.uniform(1.0, 1.12))
    greys = np.clip(exposure.density / white + np.float32(0.02), 0, 1.3)
    step = max(1, round(0.8 / grid.pixel_mm))
    blurred = enlarged(gaussian_filter(greys[::step, ::step], 4.0 / (step * grid.pixel_mm)), grid)
    greys += np.float32(random.uniform(0.25, 0.6)) * (greys - blurred)
    shown = np.clip(greys, 0, 1) ** (gamma * np.float32(film.gamma))
    return np.asarray(np.float32(film.veil) + np.float32(1 - film.veil) * shown, np.float32)


def finish(greys: Plane, field: Rectangle, film: Film, *, flesh: Plane, letter: str) -> Plane:
    """Lay border, marker, text and frame over the greys, in place, and return them.

    Parameters
    ----------
    greys
        0...1, float32, shape (rows, columns).
    field
        Exposed field in pixels.
    flesh
        Where soft tissue is (above 0): the marker is put beside it.
    letter
        L or R.
    """
    top, left, height, width = field
    outside = np.ones(greys.shape, bool)
    outside[top : top + height, left : left + width] = False
    greys[outside] = 0.96 if film.border == "white" else 0.015
    if film.has_marker:
        _place_marker(greys, field, flesh, letter, film.marker_scale)
    if film.text:
        dots = lettering(film.text, max(1, round(greys.shape[0] / 420)))
        row, column = greys.shape[0] // 40, greys.shape[1] // 30
        _stamp(greys, dots, row, column, 1.0)
    if film.frame:
        edge = max(2, round(0.018 * min(greys.shape)))
        tone = 1.0 if film.frame == "white" else 0.0
        greys[:edge], greys[-edge:], greys[:, :edge], greys[:, -edge:] = tone, tone, tone, tone
    return greys


def _place_marker(greys: Plane, field: Rectangle, flesh: Plane, letter: str, scale: float) -> None:
    """Put the lead letter into the corner of the field with the least flesh."""
    top, left, height, width = field
    dots = lettering(letter, max(1, round(scale * min(greys.shape) / 150)))
    tall, wide = dots.shape
    gap = max(2, min(height, width) // 30)
    corners = [
        (row, column)
        for row in (top + gap, top + height - gap - tall)
        for column in (left + gap, left + width - gap - wide)
    ]
    covered = [float(np.mean(flesh[r : r + tall, c : c + wide] > 0)) for r, c in corners]
    _stamp(greys, dots, *corners[int(np.argmin(covered))], 0.99)


def _stamp(greys: Plane, dots: NDArray[np.bool_], row: int, column: int, tone: float) -> None:
    """Paint dots into the greys, cut off at the edge."""
    window = greys[row : row + dots.shape[0], column : column + dots.shape[1]]
    window[dots[: window.shape[0], : window.shape[1]]] = tone


def stored_values(greys: Plane, film: Film) -> NDArray[np.uint16]:
    """Return greys as stored values, uint16, using all `bits_stored` bits.

    Parameters
    ----------
    greys
        0...1, 1 is displayed white.
    """
    highest = 2**film.bits_stored - 1
    values = np.round(np.clip(greys, 0, 1) * np.float32(highest)).astype(np.uint16)
    if film.photometric_interpretation == "MONOCHROME1":
        values = (highest - values).astype(np.uint16)
    return values
