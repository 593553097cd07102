"""DenseNet as an OpenVINO graph, put together from the arrays of a weights file.

Converting the Keras network would give the same graph, but takes TensorFlow, half a minute and some
gigabytes; putting it together takes a second, so that a worker needs no second file beside the weights.

References
----------
Huang et al., Densely Connected Convolutional Networks, CVPR 2017, table 1.
"""

import numpy as np
import openvino
import openvino.opset13 as ops
from numpy.typing import NDArray
from openvino import Node

from workers.weights import IMAGENET_DEVIATION, IMAGENET_MEAN, Weights
from worklist.errors import Invalid

EPSILON = 1.001e-5
"""Added to variances by Keras' DenseNet."""

Array = NDArray[np.float64]


def build(weights: Weights, *, input_size_px: int) -> openvino.Model:
    """Return the network greys → logit, evidence and pooled features.

    Parameters
    ----------
    weights
        All arrays of a DenseNet of any depth, as `workers.classifier.save_weights` writes them;
        the layers per block are counted in it.
    input_size_px
        Side of the square crops.

    Returns
    -------
    openvino.Model
        From greys, float32 (n, input_size_px, input_size_px), 0...1, to float32 `logit` (n,),
        `evidence` (n, h, w) and `features` (n, channels), the mean of the last activation over all
        places.

    Raises
    ------
    Invalid
        If the arrays are not those of a DenseNet with our head.

    Notes
    -----
    Normalisations after a convolution are folded into its kernel, in double precision.
    """
    arrays = dict(weights)
    try:
        graph = _graph(arrays, input_size_px)
    except KeyError as error:
        raise Invalid(f"these are not the weights of a DenseNet: {error.args[0]} is missing") from error
    except (RuntimeError, ValueError) as error:
        raise Invalid("these are not the weights of a DenseNet: their shapes do not fit together") from error
    if arrays:
        raise Invalid(f"these are not the weights of a DenseNet: it has no {min(arrays)}")
    return graph


def _graph(arrays: Weights, side: int) -> openvino.Model:
    """Put the graph together; each array that is used is taken out."""
    greys = ops.parameter([-1, side, side], np.float32, name="greys")
    data = _stem(arrays, greys)
    for stage in range(2, 6):
        data = _block(arrays, data, f"conv{stage}")
        if stage < 5:
            data = _transition(arrays, data, f"pool{stage}")
    activation = _activated(arrays, data, "bn")
    evidence = ops.squeeze(_convolution(activation, _kernel(arrays, "head")), [1])
    logit = ops.add(ops.reduce_mean(evidence, [1, 2]), _constant(arrays.pop("logit/bias")))
    outputs = {"logit": logit, "evidence": evidence, "features": ops.reduce_mean(activation, [2, 3])}
    for name, node in outputs.items():
        node.output(0).set_names({name})
    return openvino.Model(list(outputs.values()), [greys], "densenet")


def _stem(arrays: Weights, greys: Node) -> Node:
    """Return the first convolution and pooling, on three equal colours normalised as ImageNet's."""
    mean, deviation = np.reshape(IMAGENET_MEAN, (3, 1, 1)), np.reshape(IMAGENET_DEVIATION, (3, 1, 1))
    colour = ops.add(
        ops.multiply(ops.unsqueeze(greys, 1), _constant(1 / deviation)), _constant(-mean / deviation)
    )
    scale, shift = _normalisation(arrays, "conv1_bn")
    kernel = _kernel(arrays, "conv1_conv") * scale
    data = ops.relu(ops.add(_convolution(colour, kernel, stride=2, padding=3), _per_channel(shift)))
    # Keras pads with zeros and OpenVINO with nothing: the same after a ReLU.
    return ops.max_pool(data, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3]).output(0)


def _block(arrays: Weights, data: Node, name: str) -> Node:
    """Return a dense block: each layer sees what all before it gave."""
    number = 1
    while f"{name}_block{number}_1_conv/kernel" in arrays:
        data = ops.concat([data, _layer(arrays, data, f"{name}_block{number}")], axis=1)
        number += 1
    return data


def _layer(arrays: Weights, data: Node, name: str) -> Node:
    """Return one layer: a bottleneck of 1 × 1, then 3 × 3."""
    scale, shift = _normalisation(arrays, f"{name}_1_bn")
    kernel = _kernel(arrays, f"{name}_1_conv") * scale
    bottleneck = ops.add(_convolution(_activated(arrays, data, f"{name}_0_bn"), kernel), _per_channel(shift))
    return _convolution(ops.relu(bottleneck), _kernel(arrays, f"{name}_2_conv"), padding=1)


def _transition(arrays: Weights, data: Node, name: str) -> Node:
    """Return a transition: both its steps are linear, and pooling first leaves a quarter of the products."""
    pooled = ops.avg_pool(
        _activated(arrays, data, f"{name}_bn"), [2, 2], [0, 0], [0, 0], [2, 2], exclude_pad=True
    )
    return _convolution(pooled, _kernel(arrays, f"{name}_conv"))


def _activated(arrays: Weights, data: Node, name: str) -> Node:
    """Return a normalisation and its ReLU."""
    scale, shift = _normalisation(arrays, name)
    return ops.relu(ops.add(ops.multiply(data, _per_channel(scale)), _per_channel(shift)))


def _convolution(data: Node, kernel: Array, *, stride: int = 1, padding: int = 0) -> Node:
    """Return a convolution by a kernel (height, width, inputs, outputs), as Keras holds it."""
    filters = _constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    return ops.convolution(data, filters, [stride] * 2, [padding] * 2, [padding] * 2, [1, 1])


def _kernel(arrays: Weights, name: str) -> Array:
    return arrays.pop(f"{name}/kernel").astype(np.float64)


def _normalisation(arrays: Weights, name: str) -> tuple[Array, Array]:
    """Return scale and shift, shape (channels,), that a batch normalisation is when nothing is learnt."""
    gamma, beta, mean, variance = (
        arrays.pop(f"{name}/{part}").astype(np.float64)
        for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    scale = gamma / np.sqrt(variance + EPSILON)
    return scale, beta - mean * scale


def _per_channel(values: Array) -> Node:
    return _constant(values[:, None, None])


def _constant(values: NDArray[np.floating]) -> Node:
    return ops.constant(values.astype(np.float32))
