"""The crop holds the anatomy, and says so when it had to guess."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pydicom.data import get_testdata_file

from workers.crop import Crop, Rectangle, find_crop
from worklist.dicom.pixels import classifier_greys, displayed_greys
from worklist.synthetic import VIEWS, draw_radiograph, random_film

BOXES = [(body_part, view) for body_part, views in VIEWS.items() for view in views]
FIRST_SEED = 900_000
RADIOGRAPHS = 238


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Leave the other cores to the other tests."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)


def overlap(crop: Rectangle, truth: Rectangle) -> tuple[float, float]:
    """Intersection over union, and the share of the truth inside the crop."""
    height = min(crop[0] + crop[2], truth[0] + truth[2]) - max(crop[0], truth[0])
    width = min(crop[1] + crop[3], truth[1] + truth[3]) - max(crop[1], truth[1])
    common = max(0, height) * max(0, width)
    return common / (crop[2] * crop[3] + truth[2] * truth[3] - common), common / (truth[2] * truth[3])


@pytest.fixture(scope="module")
def found() -> list[tuple[Crop, Rectangle]]:
    """Crop and truth of synthetic radiographs with frames, markers, text, noise, MONOCHROME1."""
    pairs = []
    for number in range(RADIOGRAPHS):
        body_part, view = BOXES[number % len(BOXES)]
        film = random_film(np.random.default_rng([FIRST_SEED, number]))
        drawn = draw_radiograph(body_part, view, seed=FIRST_SEED + number, film=film, size=(640, 512))
        pairs.append((find_crop(drawn.displayed_greys), drawn.anatomy_box))
    return pairs


def test_the_crop_fits_the_anatomy(found: list[tuple[Crop, Rectangle]]) -> None:
    assert np.mean([overlap(crop.rectangle, truth)[0] for crop, truth in found]) >= 0.90


def test_a_crop_that_misses_says_that_it_fell_back(found: list[tuple[Crop, Rectangle]]) -> None:
    missed = [crop for crop, truth in found if overlap(crop.rectangle, truth)[0] < 0.5 and not crop.reason]
    assert missed == []


def test_text_that_runs_into_a_white_border_is_no_anatomy() -> None:
    film = random_film(np.random.default_rng([FIRST_SEED, 213]))
    drawn = draw_radiograph(*BOXES[213 % len(BOXES)], seed=FIRST_SEED + 213, film=film, size=(1250, 1000))
    assert overlap(find_crop(drawn.displayed_greys).rectangle, drawn.anatomy_box)[0] > 0.8


def test_the_crop_keeps_nearly_all_of_the_anatomy(found: list[tuple[Crop, Rectangle]]) -> None:
    covers = [overlap(crop.rectangle, truth)[1] for crop, truth in found]
    assert np.percentile(covers, 5) >= 0.85


def limb(top: int = 60, left: int = 120, height: int = 280, width: int = 100) -> NDArray[np.uint8]:
    """A forearm-like ellipse with one bone on black, 400 × 360, and a little noise."""
    image = np.full((400, 360), 10, np.uint8)
    centre = (left + width // 2, top + height // 2)
    cv2.ellipse(image, centre, (width // 2, height // 2), 0, 0, 360, 90, -1)
    cv2.ellipse(image, centre, (width // 6, height // 2 - 20), 0, 0, 360, 200, -1)
    noise = np.random.default_rng(5).normal(0, 2, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def test_every_type_of_greys_gives_the_same_crop() -> None:
    greys = limb()
    as_uint16 = find_crop(greys.astype(np.uint16) * 257)
    as_float = find_crop(greys.astype(np.float32) / 255)
    assert as_uint16 == as_float
    assert overlap(as_uint16.rectangle, find_crop(greys).rectangle)[0] > 0.98


def test_a_marker_and_text_do_not_widen_the_crop() -> None:
    marked = limb()
    cv2.putText(marked, "R", (20, 370), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 2)
    cv2.putText(marked, "12:30", (300, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.35, 255, 1)
    assert overlap(find_crop(marked).rectangle, find_crop(limb()).rectangle)[0] > 0.9


def test_a_white_frame_is_peeled_off() -> None:
    framed = limb()
    framed[:12], framed[-12:], framed[:, :12], framed[:, -12:] = 255, 255, 255, 255
    assert overlap(find_crop(framed).rectangle, find_crop(limb()).rectangle)[0] > 0.9


def test_a_limb_with_exactly_straight_outlines_keeps_its_bone_and_most_of_its_flesh() -> None:
    image = np.full((400, 360), 10, np.uint8)
    image[:, 100:220] = 90
    image[:, 140:180] = 200
    crop = find_crop(
        np.clip(image + np.random.default_rng(3).normal(0, 2, image.shape), 0, 255).astype(np.uint8)
    )
    assert overlap(crop.rectangle, (0, 140, 400, 40))[1] == 1
    assert overlap(crop.rectangle, (0, 100, 400, 120))[1] > 0.7


def test_a_leg_in_a_white_surrounding_is_found() -> None:
    # MONOCHROME1, so that everything outside the collimator is white once displayed.
    greys = classifier_greys(displayed_greys(get_testdata_file("RG3_UNCR.dcm", download=False)))
    crop = find_crop(greys)
    leg = (0, 540, 1760, 680)
    assert overlap(crop.rectangle, leg)[1] > 0.97
    assert crop.width < 1000


def test_a_chest_that_fills_the_image_is_kept_whole() -> None:
    greys = classifier_greys(displayed_greys(get_testdata_file("RG1_UNCR.dcm", download=False)))
    assert overlap(find_crop(greys).rectangle, (0, 0, *greys.shape))[0] > 0.95


@pytest.mark.parametrize(
    ("shape", "value", "reason"),
    [
        ((500, 400), 0, "the image has no contrast"),
        ((500, 400), 65535, "the image has no contrast"),
        ((20, 400), 7, "a side is shorter than 32 pixels"),
        ((1, 1), 7, "a side is shorter than 32 pixels"),
    ],
)
def test_an_image_without_anatomy_is_taken_whole_with_the_reason(
    shape: tuple[int, int], value: int, reason: str
) -> None:
    assert find_crop(np.full(shape, value, np.uint16)) == Crop(0, 0, *shape, reason)


def test_a_soft_gradient_without_edges_is_kept_with_the_reason() -> None:
    crop = find_crop(np.tile(np.linspace(0, 1, 400, dtype=np.float32), (300, 1)))
    assert overlap(crop.rectangle, (0, 0, 300, 400))[0] > 0.9
    assert crop.reason.startswith("no edges of anatomy found")


@pytest.mark.parametrize("shape", [(0, 5), (5, 5, 3), (7,)])
def test_what_is_not_an_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="an image has rows and columns"):
        find_crop(np.zeros(shape, np.uint8))


def test_greys_that_are_not_numbers_are_refused() -> None:
    greys = limb().astype(np.float32)
    greys[200, 200] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        find_crop(greys)


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_the_crop_always_lies_in_the_image(small: NDArray[np.uint8], tall: int, wide: int) -> None:
    greys = np.kron(small, np.ones((tall, wide), np.uint8))
    crop = find_crop(greys)
    assert 0 <= crop.top < crop.top + crop.height <= greys.shape[0]
    assert 0 <= crop.left < crop.left + crop.width <= greys.shape[1]
    assert crop.cut(greys).shape == (crop.height, crop.width)
