"""The small picture: what the reader sees, small."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from worklist.dicom.pixels import DisplayedGreys, Window, classifier_greys
from worklist.dicom.preview import LONGEST_SIDE_PX, preview_png


def displayed(greys: NDArray[np.uint16], lower: float = 0, upper: float = 65535) -> DisplayedGreys:
    window = Window(lower, upper)
    return DisplayedGreys(greys, window, int(greys.min()), int(greys.max()), None, None, ())


def drawn(image: DisplayedGreys) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(preview_png(image))))


@pytest.mark.parametrize(
    ("shape", "small"),
    [((4000, 3000), (480, 360)), ((3000, 4001), (360, 480)), ((481, 100), (480, 100)), ((9000, 3), (480, 1))],
)
def test_long_side_fits_and_the_shape_stays(shape: tuple[int, int], small: tuple[int, int]) -> None:
    assert max(small) == LONGEST_SIDE_PX
    assert drawn(displayed(np.zeros(shape, np.uint16))).shape == small


def test_window_is_that_of_the_reader() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint16), (4, 1))
    image = displayed(ramp, lower=100, upper=150)
    picture = drawn(image)
    np.testing.assert_array_equal(picture, np.rint(classifier_greys(image) * 255))
    assert (picture[0, 99], picture[0, 151]) == (0, 255)


def test_large_image_is_averaged_and_no_edge_is_lost() -> None:
    greys = np.zeros((1000, 1000), np.uint16)
    greys[-1, :] = 60000
    picture = drawn(displayed(greys))
    assert picture[:-1].max() == 0
    assert 255 * 60000 / 65535 / 3 - 1 <= picture[-1].min() <= 255 * 60000 / 65535 / 2 + 1
