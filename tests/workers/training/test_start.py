"""Starts: the right file is loaded, another one refused with where to get it, chance with a warning."""

import hashlib

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from tests.workers.training.tiny import tiny_backbone, tiny_network
from workers.classifier import load_weights, save_weights
from workers.training import start
from worklist.errors import Invalid, Unavailable


def write_as_keras_publishes(backbone, path):
    """Write weights in the layout of Keras' applications, which Keras reads and no longer writes."""
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, backbone)
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_file_of_imagenet_is_loaded_into_the_backbone(tmp_path):
    published, path = tiny_backbone(), tmp_path / "published.h5"
    md5 = write_as_keras_publishes(published, path)
    keras.utils.set_random_seed(99)
    network = start.imagenet(path, md5=md5, backbone=tiny_backbone).network()
    for ours, theirs in zip(start.backbone_of(network).weights, published.weights, strict=True):
        assert np.allclose(ours, theirs, rtol=1e-3, atol=1e-6)


def test_other_file_is_refused_with_where_the_right_one_comes_from(tmp_path):
    path = tmp_path / start.IMAGENET_FILE
    path.write_bytes(b"half a download")
    found = hashlib.md5(b"half a download").hexdigest()
    with pytest.raises(
        Invalid, match=rf"has MD5 {found}, .* has {start.IMAGENET_MD5}\. Keras publishes the file"
    ):
        start.imagenet(path)


def test_missing_file_is_told_with_where_it_comes_from(tmp_path):
    with pytest.raises(Unavailable, match=r"cannot be read: No such file .* WORKLIST_IMAGENET_WEIGHTS"):
        start.imagenet(tmp_path / "nothing.h5")


def test_file_of_another_network_is_refused(tmp_path):
    path = tmp_path / "other.h5"
    other = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])
    md5 = write_as_keras_publishes(other, path)
    with pytest.raises(Invalid, match="does not hold the weights of DenseNet201"):
        start.imagenet(path, md5=md5, backbone=tiny_backbone).network()


def test_registered_version_is_loaded_as_it_was_stored(tmp_path):
    trained = tiny_network(seed=3)
    sha256 = save_weights(trained, tmp_path / "weights.npz")
    again = start.registered(tmp_path / "weights.npz", sha256=sha256.upper(), backbone=tiny_backbone).network()
    assert save_weights(again, tmp_path / "again.npz") == sha256


def test_weights_that_were_changed_are_refused(tmp_path):
    save_weights(tiny_network(), tmp_path / "weights.npz")
    with pytest.raises(Invalid, match=r"weights\.npz have SHA-256 [0-9a-f]{64}; registered is 00"):
        start.registered(tmp_path / "weights.npz", sha256="0" * 64)


def test_chance_comes_with_a_warning():
    assert "random weights" in start.scratch().warning
    assert "0.67" in start.scratch().warning


def test_weights_of_the_start_survive_storing(tmp_path):
    network = tiny_network(seed=5)
    before = [weight.numpy() for weight in start.backbone_of(network).weights]
    save_weights(network, tmp_path / "weights.npz")
    load_weights(network, tmp_path / "weights.npz")
    after = start.backbone_of(network).weights
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_digest_tells_backbones_apart_and_does_not_see_the_head():
    first, second = tiny_network(seed=1), tiny_network(seed=1)
    second.get_layer("logit").bias.assign(3.0)
    assert start.digest_of(first) == start.digest_of(second)
    second.trainable = False
    assert start.digest_of(first) == start.digest_of(second)
    assert start.digest_of(first) != start.digest_of(tiny_network(seed=2))
