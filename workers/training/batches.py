"""Squares as a stream of tensors, turned and mirrored, always some batches ahead of the device.

The same seed gives the same batches: the order follows from seed and epoch, angle and mirroring from seed,
epoch and step. A run that goes on at some step so sees what it would have seen.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.training.images import Square
from worklist.classifiers.recipe import Recipe

_STEPS_AN_EPOCH = 2**32


def steps_per_epoch(count: int, batch: int) -> int:
    """Return how many steps see each of so many images once.

    Images that fill no whole batch are left to other epochs, since each epoch leaves out others; a smaller
    last batch would have a louder gradient.
    """
    return max(1, count // batch)


def training_batches(
    squares: Sequence[Square], weights: NDArray[np.float32], recipe: Recipe, *, epoch: int, skip: int = 0
) -> tf.data.Dataset:
    """Return the batches of one epoch from step `skip` on.

    Parameters
    ----------
    weights
        Of each image in the loss, shape (n,).

    Returns
    -------
    tf.data.Dataset
        Greys float32 (batch, size, size) 0...1, labels float32 (batch,), weights float32 (batch,).
    """
    order = np.random.default_rng([recipe.seed, epoch]).permutation(len(squares))
    steps = steps_per_epoch(len(squares), recipe.batch)
    order = order[skip * recipe.batch : steps * recipe.batch]
    paths = np.array([str(square.path) for square in squares])
    labels = np.array([square.image.is_abnormal for square in squares], np.float32)
    data = tf.data.Dataset.from_tensor_slices((paths[order], labels[order], weights[order]))
    data = data.map(lambda path, *rest: (_read(path), *rest), num_parallel_calls=tf.data.AUTOTUNE)
    data = data.batch(recipe.batch).enumerate(start=epoch * _STEPS_AN_EPOCH + skip)

    def turned(step: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        greys, *rest = batch
        return augmented(greys, recipe, tf.stack([tf.constant(recipe.seed, tf.int64), step])), *rest

    return data.map(turned, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def plain_batches(squares: Sequence[Square], batch: int) -> tf.data.Dataset:
    """Return all squares in their order, float32 (up to batch, size, size), 0...1."""
    data = tf.data.Dataset.from_tensor_slices([str(square.path) for square in squares])
    return data.map(_read, num_parallel_calls=tf.data.AUTOTUNE).batch(batch).prefetch(tf.data.AUTOTUNE)


def _read(path: tf.Tensor) -> tf.Tensor:
    """Return one square, float32 (size, size), 0...1."""
    square = tf.io.decode_png(tf.io.read_file(path), channels=1)[..., 0]
    return tf.cast(square, tf.float32) / 255.0


def augmented(greys: tf.Tensor, recipe: Recipe, seed: tf.Tensor) -> tf.Tensor:
    """Mirror and turn each image of a batch about its centre; what comes in from outside is black.

    Parameters
    ----------
    greys
        float32 (n, size, size).
    seed
        int64 (2,): the same seed turns alike.

    References
    ----------
    Rajpurkar et al., arXiv 1712.06957, section 3.1: lateral inversions and rotations of up to 30 degrees.
    """
    chance = tf.random.stateless_uniform((2, tf.shape(greys)[0]), seed, -1.0, 1.0)
    angles = chance[0] * (recipe.rotation_degrees * np.pi / 180)
    sides = tf.where(chance[1] < 0, -1.0, 1.0) if recipe.flips else tf.ones_like(angles)
    size = tf.shape(greys)[1]
    turned = tf.raw_ops.ImageProjectiveTransformV3(
        images=greys[..., None],
        transforms=_transforms(angles, sides, tf.cast(size - 1, tf.float32) / 2),
        output_shape=tf.stack([size, size]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return turned[..., 0]


def _transforms(angles: tf.Tensor, sides: tf.Tensor, centre: tf.Tensor) -> tf.Tensor:
    """Return the maps from output to input pixels (n, 8): turn by an angle, then mirror where a side is -1."""
    cosine, sine, zero = tf.cos(angles), tf.sin(angles), tf.zeros_like(angles)
    a, b, c, d = sides * cosine, -sides * sine, sine, cosine
    shift_x, shift_y = centre - (a + b) * centre, centre - (c + d) * centre
    return tf.stack([a, b, shift_x, c, d, shift_y, zero, zero], axis=1)
