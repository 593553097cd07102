"""Synthetic radiographs: repeatable, in pairs, with the truth in the right place."""

import numpy as np
import pytest

from worklist.synthetic import BODY_PARTS, LESIONS, VIEWS, Film, draw_radiograph

SIZE = (300, 240)
ALL_VIEWS = [(part, view) for part in BODY_PARTS for view in VIEWS[part]]


def inside(box, shape):
    top, left, height, width = box
    return (
        top >= 0
        and left >= 0
        and height > 0
        and width > 0
        and top + height <= shape[0]
        and left + width <= shape[1]
    )


@pytest.mark.parametrize(("body_part", "view"), ALL_VIEWS)
def test_every_view_is_drawn_with_bone_brighter_than_air(body_part, view):
    radiograph = draw_radiograph(body_part, view, seed=3, size=SIZE)
    assert radiograph.stored_values.shape == SIZE
    assert radiograph.stored_values.dtype == np.uint16
    greys = radiograph.displayed_greys
    top, left, height, width = radiograph.anatomy_box
    assert greys[top : top + height, left : left + width].mean() > 2 * np.median(greys[:8])
    assert inside(radiograph.anatomy_box, SIZE)


def test_same_arguments_give_the_same_array():
    first, second = (draw_radiograph("HAND", "PA", seed=8, lesion="break", size=SIZE) for _ in range(2))
    assert np.array_equal(first.stored_values, second.stored_values)
    assert first.lesion_box == second.lesion_box


def test_another_seed_is_another_patient():
    first, second = (draw_radiograph("HAND", "PA", seed=seed, size=SIZE) for seed in (8, 9))
    assert not np.array_equal(first.stored_values, second.stored_values)


@pytest.mark.parametrize("lesion", LESIONS)
@pytest.mark.parametrize("body_part", BODY_PARTS)
def test_lesion_changes_its_region_more_than_the_rest(body_part, lesion):
    view = next(iter(VIEWS[body_part]))
    film = Film(noise=0)
    normal = draw_radiograph(body_part, view, seed=5, size=SIZE, film=film)
    abnormal = draw_radiograph(body_part, view, seed=5, lesion=lesion, size=SIZE, film=film)
    change = np.abs(normal.displayed_greys - abnormal.displayed_greys)
    assert inside(abnormal.lesion_box, SIZE)
    top, left, height, width = abnormal.lesion_box
    region = change[top : top + height, left : left + width]
    assert region.max() > 0.15
    # A dislocation moves all that hangs on the joint, so the rest of the image changes too.
    assert region.mean() > (1.1 if lesion == "dislocation" else 2) * change.mean()


@pytest.mark.parametrize("lesion", ["break", "implant"])
def test_the_same_bone_is_drawn_beside_a_lesion(lesion):
    film = Film(noise=0)
    normal = draw_radiograph("WRIST", "PA", seed=21, size=SIZE, film=film)
    abnormal = draw_radiograph("WRIST", "PA", seed=21, lesion=lesion, size=SIZE, film=film)
    change = np.abs(normal.displayed_greys - abnormal.displayed_greys)
    assert np.median(change) < 0.01


def test_lesions_reach_a_seventh_of_the_field():
    sizes = [
        max(draw_radiograph(part, next(iter(VIEWS[part])), seed=seed, lesion=lesion, size=SIZE).lesion_box[2:])
        for part in BODY_PARTS
        for lesion in LESIONS
        for seed in (1, 2)
    ]
    assert min(sizes) >= 0.12 * min(SIZE)


def test_monochrome1_stores_the_same_picture_the_other_way_round():
    bright, dark = (
        draw_radiograph("ELBOW", "AP", seed=2, size=SIZE, film=Film(photometric_interpretation=photometric))
        for photometric in ("MONOCHROME2", "MONOCHROME1")
    )
    assert np.array_equal(bright.stored_values, 4095 - dark.stored_values)
    assert np.allclose(bright.displayed_greys, dark.displayed_greys, atol=1e-6)


def test_knobs_of_the_film_show():
    plain = Film(has_marker=False, is_collimated=False, noise=0)
    greys = draw_radiograph("FINGER", "PA", seed=4, size=SIZE, film=plain).displayed_greys
    assert greys[:, :3].mean() < 0.1
    white = draw_radiograph("FINGER", "PA", seed=4, size=SIZE, film=Film(frame="white")).displayed_greys
    assert white[:, :3].min() == 1
    border = draw_radiograph("FINGER", "PA", seed=4, size=SIZE, film=Film(border="white")).displayed_greys
    assert border[:3].mean() > 0.9
    text = draw_radiograph("FINGER", "PA", seed=4, size=SIZE, film=Film(text="SYN-1")).displayed_greys
    assert (text[: SIZE[0] // 12] == 1).sum() > 30


def test_more_bits_use_more_values():
    narrow, wide = (
        draw_radiograph("WRIST", "PA", seed=1, size=SIZE, film=Film(bits_stored=bits)).stored_values
        for bits in (8, 14)
    )
    assert narrow.max() <= 255
    assert wide.max() > 8000


def test_a_small_drawing_looks_like_a_large_one_made_small():
    film = Film(noise=0, has_marker=False)
    small = draw_radiograph("HUMERUS", "AP", seed=6, size=(250, 200), film=film).displayed_greys
    large = draw_radiograph("HUMERUS", "AP", seed=6, size=(1000, 800), film=film).displayed_greys
    reduced = large.reshape(250, 4, 200, 4).mean((1, 3))
    assert np.abs(small - reduced).mean() < 0.02
