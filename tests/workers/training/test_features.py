"""Features: kept by content and backbone, mirrored on request, computed anew when damaged."""

import numpy as np
import pytest

from tests.workers.training.tiny import SIZE_PX, tiny_network
from workers.training.batches import plain_batches
from workers.training.events import Cancelled, Watch
from workers.training.features import FeatureCache, TensorFlowExtractor, extractor, features_folder
from workers.training.start import backbone_of


class Counting:
    """An extractor that counts the images it sees: mean grey of the left and of the right half."""

    def __init__(self):
        self.count = 0

    def extract(self, greys):
        self.count += len(greys)
        return np.stack([greys[:, :, :32].mean((1, 2)), greys[:, :, 32:].mean((1, 2))], 1)


@pytest.fixture(scope="module")
def tensorflow():
    return TensorFlowExtractor(tiny_network())


def greys_of(squares):
    return np.concatenate(list(plain_batches(squares, 7).as_numpy_iterator()))


def test_features_are_the_mean_of_the_last_activation(tensorflow, squares):
    network = tiny_network()
    colour = network.get_layer("colour")(greys_of(squares[:3]))
    expected = backbone_of(network)(colour, training=False).numpy().mean((1, 2))
    assert np.allclose(tensorflow.extract(greys_of(squares[:3])), expected, atol=1e-5)


def test_features_come_in_the_order_of_the_squares(squares, tmp_path):
    features = FeatureCache(Counting(), tmp_path, Watch()).features(squares)
    greys = greys_of(squares)
    assert np.allclose(features[:, 0], greys[:, :, :32].mean((1, 2)))


def test_mirrored_features_are_those_of_the_mirrored_image(squares, tmp_path):
    cache = FeatureCache(Counting(), tmp_path, Watch())
    assert np.allclose(cache.features(squares), cache.features(squares, is_mirrored=True)[:, ::-1])


def test_nothing_is_computed_twice(squares, tmp_path):
    counting = Counting()
    FeatureCache(counting, tmp_path, Watch()).features(squares[:5])
    FeatureCache(counting, tmp_path, Watch()).features(squares[:9])
    assert counting.count == 9


def test_damaged_file_is_computed_anew(squares, tmp_path):
    counting = Counting()
    expected = FeatureCache(counting, tmp_path, Watch()).features(squares[:2])
    next(tmp_path.rglob("*.npy")).write_bytes(b"\x93NUMPY")
    assert np.array_equal(FeatureCache(counting, tmp_path, Watch()).features(squares[:2]), expected)
    assert counting.count == 3


def test_what_was_computed_before_a_stop_is_kept(squares, tmp_path):
    with pytest.raises(Cancelled, match=f"features stage, 16 of {len(squares)}"):
        FeatureCache(Counting(), tmp_path, Watch(should_stop=lambda: True)).features(squares)
    counting = Counting()
    FeatureCache(counting, tmp_path, Watch()).features(squares)
    assert counting.count == len(squares) - 16


def test_another_backbone_or_size_has_its_own_folder(tmp_path):
    folders = {
        features_folder(tmp_path, tiny_network(seed), size) for seed in (1, 2) for size in (SIZE_PX, 128)
    }
    assert len(folders) == 4


def test_both_engines_give_the_same_features(squares):
    network = tiny_network()
    greys = greys_of(squares)
    found = [extractor(network, SIZE_PX, is_on_gpu=is_on_gpu).extract(greys) for is_on_gpu in (True, False)]
    assert np.allclose(*found, atol=1e-4)
    assert found[0].std() > 0.01
