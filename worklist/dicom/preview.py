"""A small picture of an image, to recognise it by and not to read it."""

from dataclasses import replace
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worklist.dicom.pixels import DisplayedGreys, classifier_greys

LONGEST_SIDE_PX = 480
"""Two pixels of a fine screen for each one of the page."""


def preview_png(displayed: DisplayedGreys) -> bytes:
    """Draw what a reader sees with the default window, in 8 bit and at most `LONGEST_SIDE_PX` long.

    Parameters
    ----------
    displayed
        The image.

    Returns
    -------
    bytes
        A PNG file without any text in it.
    """
    small = replace(displayed, greys=_reduced(displayed.greys))
    octets = np.rint(classifier_greys(small) * 255).astype(np.uint8)
    written = BytesIO()
    Image.fromarray(octets).save(written, "PNG")
    return written.getvalue()


def _reduced(greys: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Average over rectangles, as many as fit into the small picture; an image that is small stays as it is."""
    factor = max(greys.shape) / LONGEST_SIDE_PX
    if factor <= 1:
        return greys
    reduced: NDArray[np.float64] | NDArray[np.uint16] = greys
    for axis, length in enumerate(greys.shape):
        starts = np.linspace(0, length, max(1, round(length / factor)), endpoint=False).astype(int)
        sums = np.add.reduceat(reduced, starts, axis=axis, dtype=np.float64)
        reduced = sums / np.expand_dims(np.diff(starts, append=length), 1 - axis)
    return np.rint(reduced).astype(np.uint16)
