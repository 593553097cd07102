"""Patches: half of them show a lesion, and the cells say where."""

import numpy as np
import pytest

from tests.workers.training.demo.tiny import tiny_snapshot
from workers.training.demo.patches import Look, batches

LOOKS = [Look(32, 64, 8), Look(64, 64, 8)]


@pytest.mark.parametrize("look", LOOKS, ids=["patch", "whole"])
def test_half_of_a_batch_is_abnormal(look):
    batch = next(batches(tiny_snapshot(), look, count=8, seed=1))
    assert batch.greys.shape == (8, look.size_px, look.size_px)
    assert batch.greys.min() >= 0
    assert batch.greys.max() <= 1
    assert batch.labels.sum() == 4


@pytest.mark.parametrize("look", LOOKS, ids=["patch", "whole"])
def test_cells_with_the_lesion_are_the_bright_ones(look):
    batch = next(batches(tiny_snapshot(), look, count=40, seed=1))
    count = look.size_px // look.stride_px
    means = batch.greys.reshape(40, count, 8, count, 8).mean((2, 4))
    counted = batch.weights > 0
    inside, outside = means[(batch.cells == 1) & counted], means[(batch.cells == 0) & counted]
    assert inside.mean() > outside.mean() + 0.25


def test_cells_of_normal_images_are_empty():
    batch = next(batches(tiny_snapshot(), LOOKS[1], count=16, seed=1))
    normal = batch.labels == 0
    assert batch.cells[normal].sum() == 0
    assert batch.weights[normal].all()


def test_a_resumed_run_sees_the_batches_that_were_left():
    source = batches(tiny_snapshot(), LOOKS[0], count=4, seed=1)
    next(source)
    second = next(source)
    resumed = next(batches(tiny_snapshot(), LOOKS[0], count=4, seed=1, skip=1))
    assert np.array_equal(second.greys, resumed.greys)


def test_abnormal_image_without_a_box_says_nothing_about_places():
    images = tiny_snapshot()
    images.boxes[:] = -1
    batch = next(batches(images, LOOKS[1], count=8, seed=1))
    assert batch.labels.sum() == 4
    assert not batch.weights[batch.labels == 1].any()
