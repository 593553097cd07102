"""A snapshot: images through the product's own crop, the lesion still in its place."""

import numpy as np
import pytest

from tests.workers.training.demo.tiny import tiny_snapshot
from workers.training.demo.dataset import STORED_PX, Snapshot, make_item
from worklist.synthetic import draw_radiograph


def test_lesion_is_carried_into_the_square():
    radiograph = draw_radiograph("HUMERUS", "AP", seed=3, lesion="implant", size=(400, 320))
    item = make_item(
        radiograph.displayed_greys,
        is_abnormal=True,
        body_part="HUMERUS",
        lesion_box=radiograph.lesion_box,
        group="3",
    )
    top, left, height, width = item.lesion_box
    inside = item.square[top : top + height, left : left + width]
    assert item.square.shape == (STORED_PX, STORED_PX)
    assert inside.max() > 250
    source = radiograph.lesion_box
    assert height / width == pytest.approx(source[2] / source[3], rel=0.1)


def test_snapshot_is_read_as_it_was_written(tmp_path):
    images = tiny_snapshot(3)
    images.save(tmp_path / "images.npz")
    read = Snapshot.load(tmp_path / "images.npz")
    assert np.array_equal(read.squares, images.squares)
    assert read.groups.tolist() == ["0", "0", "1", "1", "2", "2"]


def test_crops_are_what_the_classifier_takes():
    crops = tiny_snapshot(1).crops(224)
    assert crops.shape == (2, 224, 224)
    assert crops.dtype == np.float32
    assert 0 <= crops.min() < crops.max() <= 1
