"""Ways from squares to probabilities and heat maps; all of them hold the same weights."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workers import pipeline
from workers.gradcam import heat_map
from workers.square import prepare
from workers.weights import read_weights

Array = NDArray[np.float32]
WEIGHTS = Path(__file__).parents[2] / "workers" / "demo_classifier" / "weights.npz"


class Way:
    """One way; ``judge`` is the network and its heat map alone, ``analyse`` starts with the crop."""

    largest_batch = 16

    def __init__(self, side: int) -> None:
        self.side = side

    def judge(self, squares: Array) -> tuple[Array, Array]:
        """Give logits (n,) and maps of the predicted class (n, h, w), 0...1, for greys (n, side, side)."""
        raise NotImplementedError

    def analyse(self, images: Sequence[Array]) -> None:
        """Crop, judge, and stretch each map over its crop."""
        prepared = [prepare(greys, self.side) for greys in images]
        _, maps = self.judge(np.stack([one.square for one in prepared]))
        for one, found in zip(prepared, maps, strict=True):
            cv2.resize(found, (one.crop.width // 8, one.crop.height // 8), interpolation=cv2.INTER_CUBIC)

    def gflop(self) -> float:
        """Give 2 × the products of all convolutions for one image, in thousand millions."""
        raise NotImplementedError


class Product(Way):
    """A network of the product, in the product's own pipeline."""

    network: Any

    def judge(self, squares: Array) -> tuple[Array, Array]:
        logits, evidence = self.network.predict(squares)
        maps = [heat_map(one, float(logit)) for one, logit in zip(evidence, logits, strict=True)]
        return logits, np.stack([np.zeros_like(evidence[0]) if one is None else one for one in maps])

    def analyse(self, images: Sequence[Array]) -> None:
        pipeline.predict(images, self.network)


class OpenVINO(Product):
    """The engine of workers on processors."""

    precision = "float32"

    def __init__(self, side: int) -> None:
        from workers.engines.openvino import OpenVINOClassifier
        from workers.engines.precision import Precision

        super().__init__(side)
        self.weights = read_weights(WEIGHTS)
        self.network = OpenVINOClassifier(self.weights, input_size_px=side, precision=Precision(self.precision))

    def gflop(self) -> float:
        from workers.engines.densenet import build

        products = 0
        for node in build(self.weights, input_size_px=self.side).get_ops():
            if node.get_type_name() == "Convolution":
                _, *outputs = (axis.get_length() for axis in list(node.get_output_partial_shape(0))[1:])
                channels = node.get_output_partial_shape(0)[1].get_length()
                products += channels * int(np.prod(outputs)) * int(np.prod(node.input_value(1).shape[1:]))
        return 2e-9 * products


class BFloat16(OpenVINO):
    """The same with the precision that a site must ask for."""

    precision = "bfloat16"


class TensorFlow(Product):
    """The reference: evidence instead of a gradient, in a traced function."""

    def __init__(self, side: int) -> None:
        from workers.classifier import Classifier, build_network, load_weights

        super().__init__(side)
        network = build_network()
        load_weights(network, WEIGHTS)
        self.network = Classifier(network, input_size_px=side)


class Traced(Way):
    """Probability and textbook Grad-CAM by one gradient tape, traced in a tf.function."""

    def __init__(self, side: int) -> None:
        import keras
        import tensorflow as tf

        super().__init__(side)
        self.tf, self.keras = tf, keras
        self.classifier = _tutorial_network(side)
        last = self.classifier.get_layer("relu").output
        self.explainer = keras.Model(self.classifier.input, [last, self.classifier.output])
        signature = [tf.TensorSpec((None, side, side, 3), tf.float32)]
        self.explain: Callable[..., Any] = tf.function(self._explain, input_signature=signature)

    def _explain(self, colour: Any) -> Any:
        """Selvaraju et al., Grad-CAM, ICCV 2017, equations 1 and 2, for the predicted class."""
        tf = self.tf
        with tf.GradientTape() as tape:
            features, probability = self.explainer(colour, training=False)
            chosen = tf.where(probability >= 0.5, probability, 1 - probability)
        importance = tf.reduce_mean(tape.gradient(chosen, features), axis=(1, 2), keepdims=True)
        maps = tf.nn.relu(tf.reduce_mean(importance * features, axis=-1))
        return probability, maps / (tf.reduce_max(maps, axis=(1, 2), keepdims=True) + 1e-30)

    def colour(self, squares: Array) -> Array:
        """Give three equal colours, 0...255, as the backbone's own function takes and normalises them."""
        colours = np.repeat(255 * squares[..., None], 3, axis=-1)
        return self.keras.applications.densenet.preprocess_input(colours)

    def judge(self, squares: Array) -> tuple[Array, Array]:
        probability, maps = self.explain(self.tf.constant(self.colour(squares)))
        return _logit(probability.numpy()[:, 0]), maps.numpy()

    def gflop(self) -> float:
        products = 0
        for layer in self.classifier.layers:
            if type(layer).__name__ == "Conv2D":
                products += int(np.prod(layer.output.shape[1:3])) * int(np.prod(layer.kernel.shape))
        return 2e-9 * products


class Tutorial(Traced):
    """``predict`` for the probability, then an eager gradient tape for the heat map."""

    def __init__(self, side: int) -> None:
        super().__init__(side)
        # Sixteen images of 320 px keep 15 GB of activations for the tape.
        self.largest_batch = 16 if side < 300 else 8

    def judge(self, squares: Array) -> tuple[Array, Array]:
        colour = self.colour(squares)
        probability = self.classifier.predict(colour, verbose=0)
        _, maps = self._explain(self.tf.constant(colour))
        return _logit(probability[:, 0]), maps.numpy()


WAYS: dict[str, type[Way]] = {
    "tutorial": Tutorial,
    "traced": Traced,
    "tensorflow": TensorFlow,
    "openvino": OpenVINO,
    "bfloat16": BFloat16,
}


def _tutorial_network(side: int) -> Any:
    """Build DenseNet201, pooling and one sigmoid unit, and give it the demo classifier's weights."""
    import keras

    weights = read_weights(WEIGHTS)
    backbone = keras.applications.DenseNet201(include_top=False, weights=None, input_shape=(side, side, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    unit = keras.layers.Dense(1, activation="sigmoid")
    network = keras.Model(backbone.input, unit(pooled))
    for variable in backbone.variables:
        variable.assign(weights[variable.path].astype(np.float32))
    unit.set_weights([weights["head/kernel"].reshape(-1, 1), weights["logit/bias"].reshape(1)])
    return network


def _logit(probability: Array) -> Array:
    return np.log(probability / (1 - probability))
