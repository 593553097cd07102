"""From a network trained on patches to one for whole crops: where to cut the evidence off."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.training.demo.dataset import Snapshot
from workers.training.demo.evaluate import auc, fit_calibration
from workers.training.demo.grow import Lift

CHANNELS = 16
"""Channels that share the evidence, so that dropout cannot remove all of it at once."""


def evidence_of(network: keras.Model, images: Snapshot, size: int, *, batch: int = 8) -> NDArray[np.float32]:
    """Return the evidence of each image, float32, shape (n, h, w)."""
    run = tf.function(
        lambda greys: network(greys, training=False)["evidence"],
        input_signature=[tf.TensorSpec((None, size, size), tf.float32)],
    )
    parts = [
        run(tf.constant(images.take(slice(at, at + batch)).crops(size))).numpy()
        for at in range(0, len(images), batch)
    ]
    return np.concatenate(parts)


def find_lift(evidence: NDArray[np.float32], labels: NDArray[np.float32]) -> Lift:
    """Find the cut-off under which evidence counts nothing, and the scale of what is left.

    Parameters
    ----------
    evidence
        float32, shape (n, h, w).
    labels
        float32, shape (n,), 1 is abnormal.
    """
    cuts = np.quantile(evidence, np.linspace(0.3, 0.995, 60))
    best = max(cuts, key=lambda cut: auc(labels, _above(evidence, np.array([cut]))))
    spread = float(evidence.std())
    thresholds = (best + np.linspace(-0.3, 0.3, CHANNELS) * spread).astype(np.float32)
    rest = _above(evidence, thresholds)
    unit = float(rest.std())
    calibration = fit_calibration(labels, rest / unit, pull=1e-3)
    return Lift(thresholds, calibration.slope / unit, calibration.intercept)


def _above(evidence: NDArray[np.float32], thresholds: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean over places and thresholds of what lies above, shape (n,)."""
    above = np.maximum(evidence[..., None].astype(np.float64) - thresholds, 0)
    return np.asarray(above.mean((1, 2, 3)))
