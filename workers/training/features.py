"""What a frozen backbone makes of each image, computed once and kept: a head is then fitted in seconds."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.classifier import arrays_of
from workers.crop import PREPROCESSING_VERSION
from workers.engines.openvino import FeatureExtractor
from workers.training.batches import plain_batches
from workers.training.events import Pace, Stage, Watch
from workers.training.images import Square, write_whole
from workers.training.start import digest_of
from worklist import settings

Features = NDArray[np.float32]
"""float32 (n, channels): the mean of each channel of the last activation over all places."""

BATCH = 16
"""Images in one pass; a larger batch is no faster on a CPU."""


class Extractor(Protocol):
    """A frozen backbone, on whatever engine."""

    def extract(self, greys: NDArray[np.float32]) -> Features:
        """Return the features (n, channels) of greys (n, size, size), 0...1."""


class TensorFlowExtractor:
    """The backbone of a network as one TensorFlow graph, with the weights that it has at the time of a call."""

    def __init__(self, network: keras.Model) -> None:
        # What goes into dropout is what the head averages.
        activation = keras.Model(network.input, network.get_layer("dropout").input)
        self._run = tf.function(
            lambda greys: tf.reduce_mean(activation(greys, training=False), axis=(1, 2)),
            input_signature=[tf.TensorSpec((None, None, None), tf.float32)],
        )

    def extract(self, greys: NDArray[np.float32]) -> Features:
        """Return the features (n, channels) of greys (n, size, size), 0...1."""
        features: Features = self._run(tf.constant(greys, tf.float32)).numpy()
        return features


def extractor(network: keras.Model, size: int, *, is_on_gpu: bool) -> Extractor:
    """Return what computes the features of a network as it is now: TensorFlow on a GPU, else OpenVINO."""
    if is_on_gpu or settings.current().engine == "tensorflow":
        return TensorFlowExtractor(network)
    return FeatureExtractor(arrays_of(network), input_size_px=size)


class FeatureCache:
    """Features on disk, a file for each image: by content, backbone, size and preprocessing.

    Parameters
    ----------
    folder
        That runs share; see `features_folder`.
    """

    def __init__(self, extractor: Extractor, folder: Path, watch: Watch) -> None:
        self._extractor, self._folder, self._watch = extractor, folder, watch

    def features(self, squares: Sequence[Square], *, is_mirrored: bool = False) -> Features:
        """Return the features of each square, computing those that are not there yet.

        Parameters
        ----------
        is_mirrored
            Of the images with left and right exchanged.

        Raises
        ------
        Cancelled
            If somebody stops the run; what was computed is kept.
        """
        found = {square.sha256: self._load(square, is_mirrored) for square in squares}
        missing = {square.sha256: square for square in squares if found[square.sha256] is None}
        found.update(self._compute(list(missing.values()), is_mirrored))
        return np.stack([values for square in squares if (values := found[square.sha256]) is not None])

    def _compute(self, squares: list[Square], is_mirrored: bool) -> dict[str, Features]:
        if not squares:
            return {}
        pace = Pace(self._watch, Stage.FEATURES, len(squares))
        found: dict[str, Features] = {}
        for greys in plain_batches(squares, BATCH).as_numpy_iterator():
            batch = squares[len(found) : len(found) + len(greys)]
            values = self._extractor.extract(greys[:, :, ::-1] if is_mirrored else greys)
            for square, one in zip(batch, values, strict=True):
                found[square.sha256] = one
                self._store(square, is_mirrored, one)
            pace.advance(len(batch))
        return found

    def _path(self, square: Square, is_mirrored: bool) -> Path:
        name = f"{square.sha256}-mirrored.npy" if is_mirrored else f"{square.sha256}.npy"
        return self._folder / square.sha256[:2] / name

    def _store(self, square: Square, is_mirrored: bool, values: Features) -> None:
        content = io.BytesIO()
        np.save(content, values, allow_pickle=False)
        write_whole(self._path(square, is_mirrored), content.getvalue())

    def _load(self, square: Square, is_mirrored: bool) -> Features | None:
        try:
            values: Features = np.load(self._path(square, is_mirrored), allow_pickle=False)
        except (OSError, ValueError):
            # Not there, or damaged on disk: it is computed anew.
            return None
        return values


def features_folder(cache: Path, network: keras.Model, size: int) -> Path:
    """Return where the features of a backbone lie; other weights, size or preprocessing mean another folder."""
    return cache / "features" / f"{digest_of(network)[:32]}-{size}px-v{PREPROCESSING_VERSION}"
