"""The classifier: right weights or none, logit and evidence that belong together."""

import keras
import numpy as np
import pytest

from tests.workers.textbook import textbook_maps
from workers import gradcam
from workers.classifier import Classifier, build_network, load_weights, save_weights
from worklist.errors import Invalid, Unavailable


def tiny_backbone():
    """Stand in for DenseNet201: two convolutions, cells of 4 pixels."""
    colour = keras.Input((None, None, 3))
    features = colour
    for number in range(2):
        features = keras.layers.Conv2D(
            8, 3, strides=2, padding="same", activation="relu", name=f"convolution{number}"
        )(features)
    return keras.Model(colour, features)


@pytest.fixture
def network():
    keras.utils.set_random_seed(5)
    return build_network(tiny_backbone())


@pytest.fixture
def weights(network, tmp_path):
    path = tmp_path / "weights.npz"
    return path, save_weights(network, path)


def greys(count=3, size=32):
    return np.random.default_rng(1).random((count, size, size), dtype=np.float32)


def load(weights, size=32):
    path, sha256 = weights
    return Classifier.load(path, sha256=sha256, input_size_px=size, backbone=tiny_backbone)


def test_logit_is_mean_of_evidence_plus_one_number(weights):
    logits, evidence = load(weights).predict(greys())
    assert logits.shape == (3,)
    assert evidence.shape == (3, 8, 8)
    rest = logits - evidence.mean((1, 2))
    assert np.allclose(rest, rest[0], atol=1e-5)


def test_batch_and_single_images_agree(weights):
    classifier, batch = load(weights), greys()
    together, _ = classifier.predict(batch)
    alone = [classifier.predict(image[None])[0][0] for image in batch]
    assert np.allclose(together, alone, atol=1e-5)


def test_other_input_size_gives_another_map(weights):
    _, evidence = load(weights, size=48).predict(greys(size=48))
    assert evidence.shape == (3, 12, 12)


def test_stored_weights_give_nearly_the_same_logits(network, weights):
    expected = network(greys(), training=False)["logit"].numpy()
    assert np.allclose(load(weights).predict(greys())[0], expected, atol=0.01)


def test_wrong_hash_is_refused(weights):
    with pytest.raises(Invalid, match="registered is 0000"):
        load((weights[0], "0" * 64))


def test_missing_file_is_told(tmp_path):
    with pytest.raises(Unavailable, match="cannot be read"):
        load((tmp_path / "nothing.npz", "0" * 64))


def test_file_that_is_no_weights_is_refused(network, tmp_path):
    path = tmp_path / "weights.npz"
    path.write_bytes(b"not weights")
    with pytest.raises(Invalid, match="is not a weights file"):
        load_weights(network, path)


def test_weights_of_another_network_are_refused(network, tmp_path):
    path = tmp_path / "weights.npz"
    np.savez(path, other=np.zeros(3))
    with pytest.raises(Invalid, match="does not hold the weights of this network"):
        load_weights(network, path)


def test_weights_of_another_shape_are_refused(network, weights, tmp_path):
    arrays = dict(np.load(weights[0]))
    arrays["head/kernel"] = arrays["head/kernel"][:, :, :4]
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(Invalid, match="has shape"):
        load_weights(network, tmp_path / "other.npz")


def test_batch_of_another_size_is_refused(weights):
    with pytest.raises(Invalid, match="not \\(3, 40, 40\\)"):
        load(weights).predict(greys(size=40))


@pytest.mark.network
def test_evidence_gives_the_textbook_map_on_the_real_network():
    keras.utils.set_random_seed(3)
    network = build_network()
    assert network.count_params() - 3 < 18_400_000
    images = greys(count=2, size=96)
    outputs = network(images, training=False)
    for sign in (1, -1):
        for number, expected in enumerate(textbook_maps(network, images, sign)):
            shown = gradcam.heat_map(outputs["evidence"][number].numpy(), float(sign))
            assert shown is not None
            assert np.abs(shown - expected).max() < 1e-4
            assert np.corrcoef(shown.ravel(), expected.ravel())[0, 1] > 0.999
