"""Fit the last layer alone, on features that are computed once.

It takes seconds once the features are there, needs no gradient through the network, and has one
best solution.
"""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.training.dataset import Snapshot

Vector = NDArray[np.float64]


def pooled_features(
    network: keras.Model, snapshot: Snapshot, size: int, *, batch: int = 8
) -> NDArray[np.float32]:
    """Return the mean of each channel of the last activation, float32, shape (n, channels)."""
    inner = keras.Model(network.input, network.get_layer("dropout").input)

    def pooled(greys: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(inner(greys, training=False), axis=(1, 2))

    run = tf.function(pooled, input_signature=[tf.TensorSpec((None, size, size), tf.float32)])
    parts = [
        run(tf.constant(snapshot.take(slice(at, at + batch)).crops(size))).numpy()
        for at in range(0, len(snapshot), batch)
    ]
    return np.concatenate(parts)


def fit_head(
    network: keras.Model, features: NDArray[np.float32], labels: NDArray[np.float32], *, ridge: float
) -> None:
    """Set the head of a network to the logistic regression on pooled features.

    Parameters
    ----------
    features
        As `pooled_features` returns them.
    labels
        float32, shape (n,), 1 is abnormal.
    ridge
        Strength of the pull of all weights to zero, per image, on features of unit variance.
    """
    mean, deviation = features.mean(0), features.std(0) + 1e-6
    weights, bias = logistic_regression((features - mean) / deviation, labels, ridge=ridge)
    kernel = weights / deviation
    network.get_layer("head").kernel.assign(kernel.reshape(1, 1, -1, 1).astype(np.float32))
    network.get_layer("logit").bias.assign(float(bias - kernel @ mean))


def logistic_regression(
    features: NDArray[np.float32], labels: NDArray[np.float32], *, ridge: float, rounds: int = 25
) -> tuple[Vector, float]:
    """Return weights (channels,) and bias of the ridge-penalised logistic regression.

    Notes
    -----
    Newton's method in the space of the images, which are fewer than the channels: the weights
    are a combination of the images' features.
    """
    gram = features.astype(np.float64) @ features.T.astype(np.float64)
    share, bias = np.zeros(len(labels)), 0.0
    for _ in range(rounds):
        logits = gram @ share + bias
        chance = 1 / (1 + np.exp(-logits))
        slope = np.maximum(chance * (1 - chance), 1e-6)
        target = logits + (labels - chance) / slope
        share, bias = _weighted_ridge(gram, slope, target, ridge * len(labels))
    return features.T.astype(np.float64) @ share, bias


def _weighted_ridge(gram: Vector, slope: Vector, target: Vector, ridge: float) -> tuple[Vector, float]:
    """Solve one step of Newton's method: a weighted ridge regression with a free bias."""
    system = gram + np.diag(ridge / slope)
    both = np.linalg.solve(system, np.stack([target, np.ones(len(target))], 1))
    bias = both[:, 0].sum() / both[:, 1].sum()
    return both[:, 0] - bias * both[:, 1], float(bias)
