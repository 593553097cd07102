"""Grow a shallow DenseNet into DenseNet201 without changing what it computes.

Most of the price of training DenseNet201 on a CPU is its depth, and most of what the demo needs
to learn does not need that depth. A dense block only ever appends channels, so a network with
fewer layers per block is DenseNet201 whose further layers nobody listens to: their weights are
random and the weights of those who could listen are zero. Training can go on from there.

References
----------
Huang et al., Densely Connected Convolutional Networks, CVPR 2017, section 3; Chen et al.,
Net2Net: Accelerating Learning via Knowledge Transfer, ICLR 2016, for growing without change.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras.src.applications.densenet import DenseNet  # the public module offers the three depths only
from numpy.typing import NDArray

Map = NDArray[np.intp]
Layers = tuple[int, int, int, int]

DEEP: Layers = (6, 12, 48, 32)
"""Layers per block of DenseNet201."""

GROWTH = 32
_STEM = 64


def densenet(layers: Layers) -> keras.Model:
    """Return a backbone with so many layers in its four blocks, without weights, for any size."""
    return DenseNet(list(layers), include_top=False, weights=None, input_shape=(None, None, 3))


def grow(shallow: keras.Model, deep: keras.Model, layers: Layers, deep_layers: Layers = DEEP) -> None:
    """Set the weights of a deep network so that it computes what a shallow one does.

    Parameters
    ----------
    shallow, deep
        Networks of `workers.classifier.build_network`, with `layers` and `deep_layers` layers per
        block. Only `deep` is changed.
    """
    source, target = _backbone(shallow), _backbone(deep)
    _copy_all(source, target, ("conv1_conv", "conv1_bn"))
    channels, deep_channels = _STEM, _STEM
    for stage, (count, deep_count) in enumerate(zip(layers, deep_layers, strict=True), start=2):
        for layer in range(1, deep_count + 1):
            if layer <= count:
                _grow_layer(
                    source, target, f"conv{stage}_block{layer}", _channels(channels, deep_channels, layer - 1)
                )
        inputs = _channels(channels, deep_channels, count)
        channels = (channels + GROWTH * count) // 2
        deep_channels = (deep_channels + GROWTH * deep_count) // 2
        if stage < 5:
            _spread_normalisation(source, target, f"pool{stage}_bn", inputs)
            _spread_kernel(source, target, f"pool{stage}_conv", inputs)
    _spread_normalisation(source, target, "bn", inputs)
    _spread_kernel(shallow, deep, "head", inputs)
    deep.get_layer("logit").bias.assign(shallow.get_layer("logit").bias)


def _backbone(network: keras.Model) -> keras.Model:
    """Return the backbone inside a network."""
    return next(layer for layer in network.layers if isinstance(layer, keras.Model))


def _channels(shallow: int, deep: int, layers: int) -> Map:
    """Return where the channels of the shallow network are in the deep one, after some layers."""
    return np.concatenate([np.arange(shallow), deep + np.arange(GROWTH * layers)])


def _grow_layer(source: keras.Model, target: keras.Model, name: str, inputs: Map) -> None:
    """Carry one layer of a block over: only its first two parts see the block's channels."""
    _spread_normalisation(source, target, f"{name}_0_bn", inputs)
    _spread_kernel(source, target, f"{name}_1_conv", inputs)
    _copy_all(source, target, (f"{name}_1_bn", f"{name}_2_conv"))


def _copy_all(source: keras.Model, target: keras.Model, names: tuple[str, ...]) -> None:
    """Copy layers of the same shape."""
    for name in names:
        target.get_layer(name).set_weights(source.get_layer(name).get_weights())


def _spread_normalisation(source: keras.Model, target: keras.Model, name: str, inputs: Map) -> None:
    """Copy scale, shift and statistics to the places of the channels; others stay as they are."""
    spread = target.get_layer(name).get_weights()
    for old, new in zip(source.get_layer(name).get_weights(), spread, strict=True):
        new[inputs] = old
    target.get_layer(name).set_weights(spread)


def _spread_kernel(source: keras.Model, target: keras.Model, name: str, inputs: Map) -> None:
    """Copy a 1x1 kernel; the old outputs do not listen to new inputs, new outputs stay random."""
    (old,), (new,) = source.get_layer(name).get_weights(), target.get_layer(name).get_weights()
    outputs = old.shape[-1]
    new[:, :, :, :outputs] = 0
    new[:, :, inputs, :outputs] = old
    target.get_layer(name).set_weights([new])


@dataclass(frozen=True)
class Lift:
    """What `lift_head` makes of the evidence e: scale * mean(max(e - thresholds, 0)).

    Parameters
    ----------
    thresholds
        float32, shape (n,), n up to 32: one channel each.
    scale, bias
        Of the new logit.
    """

    thresholds: NDArray[np.float32]
    scale: float
    bias: float

    def cell(self, before: tuple[float, float]) -> tuple[float, float]:
        """Return scale and shift to the logit of a cell, for the new evidence, from those for the old."""
        scale, shift = before
        return scale / self.scale, shift + scale * float(self.thresholds.mean())


def lift_head(network: keras.Model, layers: Layers, lift: Lift) -> None:
    """Let the last layer of the last block do what the head does, and the head add up its output.

    Parameters
    ----------
    network
        A network whose last layer nobody listens to yet, as `grow` leaves it.
    layers
        Its layers per block.

    Notes
    -----
    Trained on patches, evidence is spread around a negative number on normal bone. Averaged over
    the fifty cells of a whole crop its spread would drown the few cells of a lesion; behind a
    ReLU normal bone is silent.
    """
    backbone = _backbone(network)
    name, count = f"conv5_block{layers[3]}", len(lift.thresholds)
    final, head = backbone.get_layer("bn"), network.get_layer("head")
    normalisation = final.get_weights()
    old = normalisation[0].shape[0] - GROWTH
    backbone.get_layer(f"{name}_0_bn").set_weights([values[:old] for values in normalisation])
    (inner,) = backbone.get_layer(f"{name}_1_conv").get_weights()
    inner[0, 0, :, :count] = head.get_weights()[0][0, 0, :old]
    backbone.get_layer(f"{name}_1_conv").set_weights([inner])
    _pass_through(backbone.get_layer(f"{name}_1_bn"), slice(0, count), lift.thresholds)
    (outer,) = backbone.get_layer(f"{name}_2_conv").get_weights()
    outer[:, :, :count], outer[:, :, :, :count] = 0, 0
    outer[1, 1, np.arange(count), np.arange(count)] = 1
    backbone.get_layer(f"{name}_2_conv").set_weights([outer])
    _pass_through(final, slice(old, old + count), np.zeros(count, np.float32))
    kernel = np.zeros((1, 1, old + GROWTH, 1), np.float32)
    kernel[0, 0, old : old + count, 0] = lift.scale / count
    head.set_weights([kernel])
    network.get_layer("logit").bias.assign(lift.bias)


def _pass_through(layer: keras.layers.Layer, channels: slice, means: NDArray[np.float32]) -> None:
    """Let a normalisation only subtract `means` from some channels."""
    gamma, beta, mean, variance = layer.get_weights()
    gamma[channels], beta[channels], mean[channels], variance[channels] = 1, 0, means, 1 - layer.epsilon
    layer.set_weights([gamma, beta, mean, variance])
