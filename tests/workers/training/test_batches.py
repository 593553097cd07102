"""Batches: the same seed, the same; mirrored, turned no further than asked; black from outside."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tests.workers.training.tiny import FULL
from workers.training.batches import augmented, plain_batches, steps_per_epoch, training_batches
from workers.training.images import with_role
from worklist.dataset.snapshot import Role

PLAIN = replace(FULL, flips=False, rotation_degrees=0)


@pytest.fixture(scope="module")
def fit(squares):
    return with_role(squares, Role.FIT)


def batches(fit, recipe=FULL, **options):
    weights = np.linspace(0, 1, len(fit), dtype=np.float32)
    return [[part.numpy() for part in batch] for batch in training_batches(fit, weights, recipe, **options)]


def same(first, second):
    pairs = zip(first, second, strict=True)
    return all(np.array_equal(a, b) for one, two in pairs for a, b in zip(one, two, strict=True))


def test_same_seed_and_epoch_give_the_same_batches(fit):
    assert same(batches(fit, epoch=2), batches(fit, epoch=2))


def test_other_epoch_or_seed_gives_others(fit):
    first = batches(fit, epoch=1)
    assert not same(first, batches(fit, epoch=2))
    assert not same(first, batches(fit, replace(FULL, seed=8), epoch=1))


def test_run_that_goes_on_sees_the_batches_that_were_left(fit):
    assert same(batches(fit, epoch=1)[2:], batches(fit, epoch=1, skip=2))


def test_every_image_comes_once_an_epoch_with_its_label_and_weight(fit):
    greys, labels, weights = (
        np.concatenate(parts) for parts in zip(*batches(fit, PLAIN, epoch=1), strict=True)
    )
    numbers = np.round(weights * (len(fit) - 1)).astype(int)
    assert sorted(numbers) == list(range(len(fit)))
    assert [fit[number].image.is_abnormal for number in numbers] == labels.tolist()
    plain = np.concatenate(list(plain_batches(fit, 5).as_numpy_iterator()))
    assert np.array_equal(greys, plain[numbers])


def test_rest_that_fills_no_batch_waits_for_another_epoch(fit):
    assert [len(labels) for _, labels, _ in batches(fit[:19], epoch=1)] == [8, 8]
    assert [len(labels) for _, labels, _ in batches(fit[:3], epoch=1)] == [3]
    assert steps_per_epoch(3, 8) == 1


def line(count):
    """Images with a white line from the centre to the right, 41 pixels wide and high."""
    greys = np.zeros((count, 41, 41), np.float32)
    greys[:, 19:22, 21:41] = 1
    return tf.constant(greys)


def turned(recipe, count=300):
    return augmented(line(count), recipe, tf.constant([3, 5], tf.int64)).numpy()


def test_angles_fill_the_allowed_range_and_stay_in_it():
    rows, columns = np.mgrid[:41, :41] - 20
    greys = turned(replace(FULL, flips=False))
    angles = np.degrees(np.arctan2((greys * rows).sum((1, 2)), (greys * columns).sum((1, 2))))
    assert -30.5 <= angles.min() < -27
    assert 27 < angles.max() <= 30.5


def test_half_of_the_images_is_mirrored_left_and_right():
    greys = turned(replace(FULL, rotation_degrees=0))
    is_left = greys[:, 20, :20].sum(1) > 0
    assert 0.4 < is_left.mean() < 0.6
    assert np.array_equal(greys[is_left][0], line(1)[0].numpy()[:, ::-1])


def test_without_augmentation_images_stay_as_they_are():
    assert np.array_equal(turned(PLAIN, 4), line(4))


def test_what_comes_in_from_outside_is_black():
    greys = augmented(tf.ones((50, 41, 41)), FULL, tf.constant([1, 1], tf.int64)).numpy()
    assert greys[:, 0, 0].min() == 0
    assert greys[:, 20, 20].min() == 1
    assert greys.max() <= 1 + 1e-6
