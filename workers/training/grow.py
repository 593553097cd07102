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

import keras
import numpy as np
from keras.src.applications.densenet import DenseNet  # the public module offers the three depths only
from numpy.typing import NDArray

Map = NDArray[np.intp]

DEEP = (6, 12, 48, 32)
GROWTH = 32
_STEM = 64


def densenet(layers: tuple[int, ...]) -> keras.Model:
    """Return a backbone with so many layers in its four blocks, without weights, for any size."""
    return DenseNet(list(layers), include_top=False, weights=None, input_shape=(None, None, 3))


def grow(shallow: keras.Model, deep: keras.Model, layers: tuple[int, ...]) -> None:
    """Set the weights of a deep network so that it computes what a shallow one does.

    Parameters
    ----------
    shallow, deep
        Networks of `workers.classifier.build_network`, with `layers` and `DEEP` layers per block.
        Only `deep` is changed.
    """
    source, target = _backbone(shallow), _backbone(deep)
    _copy_all(source, target, ("conv1_conv", "conv1_bn"))
    channels, deep_channels = _STEM, _STEM
    for stage, (count, deep_count) in enumerate(zip(layers, DEEP, strict=True), start=2):
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
