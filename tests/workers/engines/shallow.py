"""A DenseNet of a few layers with statistics as training leaves them, and its weights file."""

import keras
import numpy as np

from workers.classifier import build_network, save_weights
from workers.training.demo.grow import densenet

LAYERS = (2, 1, 3, 1)


def make_network(layers=LAYERS, seed=7):
    keras.utils.set_random_seed(seed)
    network = build_network(densenet(layers))
    random = np.random.default_rng(seed)
    for variable in network.variables:
        if variable.path.endswith(("gamma", "moving_variance")):
            variable.assign(random.uniform(0.5, 2, variable.shape))
        elif variable.path.endswith(("beta", "moving_mean", "bias")):
            variable.assign(random.normal(0, 0.3, variable.shape))
    return network


def write_weights(folder, layers=LAYERS):
    path = folder / "weights.npz"
    return path, save_weights(make_network(layers), path)
