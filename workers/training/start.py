"""Where the weights come from: ImageNet, a version trained before, or chance.

Importing this module imports TensorFlow.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from workers.classifier import build_network, densenet201, load_weights
from workers.weights import sha256_of
from worklist.errors import Invalid, Unavailable

IMAGENET_FILE = "densenet201_weights_tf_dim_ordering_tf_kernels_notop.h5"
IMAGENET_MD5 = "c13680b51ded0fb44dff2d8f86ac8bb1"
WHERE_FROM = (
    f"Keras publishes the file {IMAGENET_FILE} with its applications: on a computer with network access "
    "keras.applications.DenseNet201(include_top=False) puts it into ~/.keras/models. Copy it here and name it "
    "in WORKLIST_IMAGENET_WEIGHTS."
)


@dataclass(frozen=True)
class Start:
    """Weights to begin with.

    Parameters
    ----------
    name
        What decides the outcome: the source with the hash of its file.
    warning
        What a person should know before the run; empty for nothing.
    backbone
        Makes the backbone; another one than DenseNet201 in tests.
    load
        Sets the weights of a network with this backbone.
    """

    name: str
    load: Callable[[keras.Model], None]
    warning: str = ""
    backbone: Callable[[], keras.Model] = densenet201

    def network(self) -> keras.Model:
        """Return the network with the weights of the start, kernels rounded as a weights file holds them.

        Notes
        -----
        Rounded before anything is learnt, a frozen backbone is the same network in training and once stored,
        so that cached features stay true.

        Raises
        ------
        Invalid
            If the file does not fit the network.
        Unavailable
            If it cannot be read.
        """
        network = build_network(self.backbone())
        self.load(network)
        round_as_stored(network)
        return network


def imagenet(
    path: Path, *, md5: str = IMAGENET_MD5, backbone: Callable[[], keras.Model] = densenet201
) -> Start:
    """Begin with the weights of ImageNet, from a file.

    Parameters
    ----------
    md5
        What the file must hash to, 32 hexadecimal digits; the one that Keras publishes.

    Raises
    ------
    Unavailable
        If the file cannot be read; the message says where a site gets it.
    Invalid
        If it is another file, or damaged.
    """
    found = _md5_of(path)
    if found != md5:
        raise Invalid(f"{path} has MD5 {found}, the file of ImageNet's weights has {md5}. {WHERE_FROM}")

    def load(network: keras.Model) -> None:
        try:
            backbone_of(network).load_weights(path)
        except (ValueError, OSError, KeyError) as error:
            raise Invalid(
                f"{path} does not hold the weights of DenseNet201 without its top layer, or its name does not "
                "end in .h5, by which Keras knows the format."
            ) from error

    return Start(f"imagenet {md5}", load, backbone=backbone)


def registered(path: Path, *, sha256: str, backbone: Callable[[], keras.Model] = densenet201) -> Start:
    """Begin with the weights of a version that was trained before.

    Parameters
    ----------
    sha256
        What the file must hash to, 64 hexadecimal digits, as registered.

    Raises
    ------
    Unavailable
        If the file cannot be read.
    Invalid
        If it is another file.
    """
    found = sha256_of(path)
    if found != sha256.lower():
        raise Invalid(f"The weights {path.name} have SHA-256 {found}; registered is {sha256.lower()}.")
    return Start(f"weights {found}", lambda network: load_weights(network, path), backbone=backbone)


def scratch(*, backbone: Callable[[], keras.Model] = densenet201) -> Start:
    """Begin with random weights, and a warning."""
    warning = (
        "This run starts from random weights. Published runs on MURA reach an accuracy of about 0.67 that way "
        "and 0.82 from ImageNet's weights; with the recipe head nothing useful can come of it. "
        f"{WHERE_FROM}"
    )
    return Start("scratch", lambda _network: None, warning, backbone)


def backbone_of(network: keras.Model) -> keras.Model:
    """Return the backbone inside a network of `workers.classifier.build_network`."""
    return next(layer for layer in network.layers if isinstance(layer, keras.Model))


def round_as_stored(network: keras.Model) -> None:
    """Give all kernels the values that a weights file holds of them (float16)."""
    for variable in network.variables:
        if len(variable.shape) > 1:
            variable.assign(np.asarray(variable.value).astype(np.float16).astype(np.float32))


def digest_of(network: keras.Model) -> str:
    """Return a SHA-256 of a network's backbone, 64 hexadecimal digits: the same weights, the same."""
    digest = hashlib.sha256()
    for variable in backbone_of(network).weights:
        digest.update(np.ascontiguousarray(variable.value).tobytes())
    return digest.hexdigest()


def _md5_of(path: Path) -> str:
    """Return the MD5 of a file: the hash that Keras publishes, against damage and mistakes, not attacks."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    except OSError as error:
        reason = error.strerror or error
        raise Unavailable(f"ImageNet's weights {path} cannot be read: {reason}. {WHERE_FROM}") from error
