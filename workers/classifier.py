"""The classifier: DenseNet201, global average pooling, dropout, one logit.

Importing this module imports TensorFlow. Import it only in the process that computes, never
in the parent of a prefork pool: a child forked after TensorFlow has started hangs.
"""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.weights import IMAGENET_DEVIATION, IMAGENET_MEAN, Weights, read_registered, read_weights, sha256_of
from worklist.errors import Invalid

DROPOUT = 0.2


class _AsColour(keras.layers.Layer):
    """Greys (n, h, w), 0...1, to three channels normalised as the backbone expects them."""

    def call(self, greys: tf.Tensor) -> tf.Tensor:
        colour = tf.repeat(greys[..., None], 3, axis=-1)
        return (colour - tf.constant(IMAGENET_MEAN)) / tf.constant(IMAGENET_DEVIATION)


class _MeanPlusBias(keras.layers.Layer):
    """Evidence (n, h, w) to logits (n,): the mean over all places plus one trained number."""

    def build(self, _shape: tuple[int | None, ...]) -> None:
        self.bias = self.add_weight(shape=(), initializer="zeros", name="bias")

    def call(self, evidence: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(evidence, axis=(1, 2)) + self.bias


def densenet201() -> keras.Model:
    """Return the backbone without weights, for any input size; its output is the last activation."""
    return keras.applications.DenseNet201(include_top=False, weights=None, input_shape=(None, None, 3))


def build_network(backbone: keras.Model | None = None) -> keras.Model:
    """Return the network greys → logit and evidence.

    Parameters
    ----------
    backbone
        Colour image (n, h, w, 3) → feature map (n, h', w', channels); DenseNet201 by default.

    Returns
    -------
    keras.Model
        From greys, float32 (n, h, w), 0...1, to the outputs `logit` (n,) and `evidence`
        (n, h', w'), both float32 and unbounded.

    Notes
    -----
    A dense unit on pooled features equals the mean of a 1x1 convolution with the same weights,
    so pooling comes last and the map needs no gradient. Dropping whole channels is dropout on
    the pooled features.
    """
    backbone = backbone or densenet201()
    greys = keras.Input((None, None), dtype="float32", name="greys")
    features = backbone(_AsColour(name="colour", dtype="float32")(greys))
    kept = keras.layers.SpatialDropout2D(DROPOUT, name="dropout", dtype="float32")(features)
    evidence = keras.layers.Conv2D(1, 1, use_bias=False, name="head", dtype="float32")(kept)[..., 0]
    logit = _MeanPlusBias(name="logit", dtype="float32")(evidence)
    return keras.Model(greys, {"logit": logit, "evidence": evidence})


def save_weights(network: keras.Model, path: Path) -> str:
    """Write the weights and return their SHA-256 as 64 hexadecimal digits.

    Notes
    -----
    Kernels are stored as float16, which halves the file and moves no probability by more than
    0.001 (measured); vectors stay float32 because float16 cannot hold small variances.
    """
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays_of(network))
    return sha256_of(path)


def arrays_of(network: keras.Model) -> Weights:
    """Return the weights of a network as a weights file holds them."""
    return {variable.path: _to_store(np.asarray(variable.value)) for variable in _stored_variables(network)}


def _to_store(value: NDArray[np.float32]) -> NDArray[np.float16] | NDArray[np.float32]:
    """Return kernels as float16 and vectors unchanged."""
    return value.astype(np.float16) if value.ndim > 1 else value


def _stored_variables(network: keras.Model) -> list[keras.Variable]:
    """Return weights and moving statistics; a dropout seed is neither."""
    return [variable for variable in network.variables if "seed" not in variable.path]


def load_weights(network: keras.Model, path: Path) -> None:
    """Set the weights of a network from a file.

    Raises
    ------
    Unavailable
        If the file cannot be read.
    Invalid
        If it does not hold exactly the arrays of this network.
    """
    _set_weights(network, read_weights(path), path.name)


def _set_weights(network: keras.Model, arrays: Weights, name: str) -> None:
    variables = _stored_variables(network)
    strange = set(arrays) ^ {variable.path for variable in variables}
    if strange:
        raise Invalid(f"{name} does not hold the weights of this network: {min(strange)} differs")
    for variable in variables:
        array = arrays[variable.path]
        if array.shape != tuple(variable.shape):
            raise Invalid(f"{name}: {variable.path} has shape {array.shape}, not {tuple(variable.shape)}")
        variable.assign(array.astype(np.float32))


class Classifier:
    """A network with its weights, ready to judge crops.

    Parameters
    ----------
    network
        As `build_network` returns it, weights set.
    input_size_px
        Side of the square crops it takes.
    sha256
        Hash of the weights file; empty for a network that was not read from one.
    """

    def __init__(self, network: keras.Model, *, input_size_px: int, sha256: str = "") -> None:
        self.input_size_px = input_size_px
        self.sha256 = sha256
        self._run = _compiled(network, input_size_px)
        self.predict(np.zeros((1, input_size_px, input_size_px), np.float32))

    @classmethod
    def load(
        cls,
        weights_path: Path,
        *,
        sha256: str,
        input_size_px: int = 224,
        backbone: Callable[[], keras.Model] = densenet201,
    ) -> "Classifier":
        """Read a classifier and check that the weights are the registered ones.

        Parameters
        ----------
        sha256
            Expected hash of the file, 64 hexadecimal digits.
        input_size_px
            Side of the crops; the network takes any, but was trained for one.

        Raises
        ------
        Unavailable
            If the file cannot be read.
        Invalid
            If its hash is another or it does not fit the network.
        """
        arrays, found = read_registered(weights_path, sha256)
        network = build_network(backbone())
        _set_weights(network, arrays, weights_path.name)
        return cls(network, input_size_px=input_size_px, sha256=found)

    def predict(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Judge a batch of crops in one pass.

        Parameters
        ----------
        batch
            Displayed greys, float32, shape (n, input_size_px, input_size_px), 0...1.

        Returns
        -------
        logits
            float32, shape (n,), unbounded, before the sigmoid and before calibration.
        evidence
            float32, shape (n, h, w), signed: above 0 speaks for abnormal. Its mean plus a bias
            is the logit. At 224 px h = w = 7.

        Raises
        ------
        Invalid
            If the batch has another shape.
        """
        side = self.input_size_px
        if batch.ndim != 3 or batch.shape[1:] != (side, side):
            raise Invalid(f"a batch has the shape (n, {side}, {side}), not {batch.shape}")
        logit, evidence = self._run(tf.constant(batch, tf.float32))
        return logit.numpy(), evidence.numpy()


def _compiled(network: keras.Model, side: int) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Return the forward pass as one graph: nine times as fast as calling the network."""

    def forward(greys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        outputs = network(greys, training=False)
        return outputs["logit"], outputs["evidence"]

    signature = [tf.TensorSpec((None, side, side), tf.float32)]
    compiled: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]] = tf.function(
        forward, input_signature=signature
    )
    return compiled
