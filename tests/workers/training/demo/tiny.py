"""A network and a snapshot that train in a second: discs, with a bright square where the lesion is."""

import keras
import numpy as np

from workers.classifier import build_network
from workers.training.demo.dataset import STORED_PX, Item, Snapshot
from workers.training.demo.fit import Phase, Recipe

RECIPE = Recipe(
    phases=(
        Phase(size_px=32, batch=8, steps=60, rate=1e-2, last_rate=3e-3),
        Phase(size_px=64, batch=8, steps=40, rate=3e-3, last_rate=1e-3),
    ),
    input_size_px=64,
    stride_px=8,
    warm_up=3,
    save_every=10,
)


def tiny_network(seed=4):
    keras.utils.set_random_seed(seed)
    colour = keras.Input((None, None, 3))
    features = colour
    for number, channels in enumerate((8, 12, 16)):
        features = keras.layers.Conv2D(
            channels, 3, strides=2, padding="same", use_bias=False, name=f"convolution{number}"
        )(features)
        features = keras.layers.BatchNormalization(name=f"normalisation{number}")(features)
        features = keras.layers.ReLU(name=f"relu{number}")(features)
    return build_network(keras.Model(colour, features))


def tiny_snapshot(patients=12):
    return Snapshot.of(item for patient in range(patients) for item in _pair(patient))


def _pair(patient):
    random = np.random.default_rng(patient)
    rows, columns = np.mgrid[:STORED_PX, :STORED_PX]
    disc = 110.0 * (np.hypot(rows - 128, columns - 128) < random.uniform(80, 110))
    normal = (disc + random.uniform(0, 15, disc.shape)).astype(np.uint8)
    abnormal = normal.copy()
    top, left = random.integers(70, 150, 2)
    abnormal[top : top + 44, left : left + 44] = 230
    return (
        Item(normal, False, "HAND", None, str(patient)),
        Item(abnormal, True, "HAND", (int(top), int(left), 44, 44), str(patient)),
    )
