"""The weights file of a classifier: named arrays, known by their hash; read without TensorFlow."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worklist.errors import Invalid, Unavailable

Weights = dict[str, NDArray[np.floating]]
"""Arrays by Keras' names of the variables; kernels (height, width, inputs, outputs) as float16."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
"""The backbone expects each colour, 0...1, less this mean and divided by this deviation."""


def read_weights(path: Path) -> Weights:
    """Read all arrays of a weights file, as they are stored.

    Raises
    ------
    Unavailable
        If the file cannot be read.
    Invalid
        If it is no weights file.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except OSError as error:
        raise Unavailable(f"the weights {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise Invalid(f"{path} is not a weights file") from error


def read_registered(path: Path, sha256: str) -> tuple[Weights, str]:
    """Read a weights file and check that it is the registered one; return its arrays and its hash.

    Raises
    ------
    Unavailable
        If the file cannot be read.
    Invalid
        If its hash is another, or it is no weights file.
    """
    found = sha256_of(path)
    if found != sha256.lower():
        raise Invalid(f"the weights {path.name} have the hash {found}, registered is {sha256}")
    return read_weights(path), found


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits.

    Raises
    ------
    Unavailable
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Unavailable(f"the weights {path} cannot be read: {error.strerror or error}") from error
