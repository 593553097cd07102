"""A snapshot and a network that train in a second: drawn discs, an abnormal one with a bright square on it."""

from dataclasses import replace

import keras
import numpy as np
from PIL import Image

from workers.training import start
from workers.training.demo.grow import densenet
from worklist.classifiers.recipe import Layers, Recipe
from worklist.dataset.snapshot import Role, SnapshotImage
from worklist.tables import BodyPart

SIZE_PX = 64
HEAD = Recipe(layers=Layers.HEAD, input_size_px=SIZE_PX, seed=7)
FULL = replace(HEAD, layers=Layers.ALL, epochs=4, patience=4, rate=1e-5, save_every=2)


def tiny_backbone():
    """DenseNet with one layer in each block."""
    return densenet((1, 1, 1, 1))


def tiny_start(name="tiny"):
    """Random weights, the same for the same seed; the normalisation has seen discs, as a trained one has."""
    return start.Start(name, _settle, backbone=tiny_backbone)


def _settle(network):
    layers = [layer for layer in start.backbone_of(network).layers if hasattr(layer, "momentum")]
    discs = np.stack([_disc(1000 + number, is_abnormal=number % 2 == 1)[16:80, 16:80] for number in range(16)])
    for layer in layers:
        layer.momentum = 0.0
    network(discs.astype(np.float32) / 255, training=True)
    for layer in layers:
        layer.momentum = 0.99


def tiny_network(seed=4):
    keras.utils.set_random_seed(seed)
    return tiny_start().network()


def tiny_images(folder, fit=16, tune=8, test=4):
    """Write two images for each patient, one normal and one abnormal, and return the snapshot."""
    folder.mkdir(parents=True, exist_ok=True)
    roles = [Role.FIT] * fit + [Role.TUNE] * tune + [Role.TEST] * test
    return [
        _image(folder, patient, role, is_abnormal=is_abnormal)
        for patient, role in enumerate(roles)
        for is_abnormal in (False, True)
    ]


def _image(folder, patient, role, *, is_abnormal):
    name = f"{patient:03}-{'abnormal' if is_abnormal else 'normal'}.png"
    Image.fromarray(_disc(patient, is_abnormal=is_abnormal)).save(folder / name)
    return SnapshotImage(
        path=folder / name,
        name=name,
        body_part=list(BodyPart)[patient % 2],
        patient=f"p{patient}",
        study=f"s{patient}{'a' if is_abnormal else 'n'}",
        is_abnormal=is_abnormal,
        role=role,
    )


def _disc(patient, *, is_abnormal):
    random = np.random.default_rng([patient, is_abnormal])
    rows, columns = np.mgrid[:96, :96]
    grey = 110.0 * (np.hypot(rows - 48, columns - 48) < random.uniform(36, 44))
    grey += random.uniform(0, 40, grey.shape)
    if is_abnormal:
        top, left = random.integers(28, 50, 2)
        grey[top : top + 10, left : left + 10] += 45
    return grey.astype(np.uint8)
