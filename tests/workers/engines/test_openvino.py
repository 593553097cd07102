"""OpenVINO computes what TensorFlow does: the same logits, the same heat maps, every time."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.workers.engines.shallow import write_weights
from tests.workers.textbook import textbook_maps
from workers import classifier
from workers.engines import openvino
from workers.engines.openvino import FeatureExtractor, OpenVINOClassifier
from workers.gradcam import heat_map
from workers.square import prepare
from workers.training.demo.grow import densenet
from workers.weights import read_weights
from worklist.errors import Invalid, Unavailable
from worklist.synthetic import VIEWS, draw_radiograph

DEMO = Path(classifier.__file__).parent / "demo_classifier"
SIDE = 96


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def network(weights):
    return load(weights)


def load(weights, side=SIDE):
    path, sha256 = weights
    return OpenVINOClassifier.load(path, sha256=sha256, input_size_px=side)


def greys(count=3, side=SIDE, seed=1):
    return np.random.default_rng(seed).random((count, side, side), dtype=np.float32)


@pytest.mark.parametrize("side", [65, 96, 130])
@pytest.mark.parametrize("layers", [(1, 1, 1, 1), (2, 1, 3, 1)])
def test_it_gives_what_tensorflow_gives_for_any_depth_and_size(tmp_path, layers, side):
    path, sha256 = write_weights(tmp_path, layers)
    reference = classifier.Classifier.load(
        path, sha256=sha256, input_size_px=side, backbone=lambda: densenet(layers)
    )
    expected_logits, expected_evidence = reference.predict(greys(side=side))
    logits, evidence = load((path, sha256), side).predict(greys(side=side))
    assert (logits.dtype, evidence.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(logits, expected_logits, atol=1e-4)
    np.testing.assert_allclose(evidence, expected_evidence, atol=1e-4 * np.abs(expected_evidence).max())


@pytest.fixture(scope="module")
def both():
    """The demo classifier in TensorFlow and in OpenVINO."""
    card = json.loads((DEMO / "card.json").read_text(encoding="utf-8"))
    path, sha256 = DEMO / card["weights"], card["sha256"]
    reference = classifier.build_network()
    classifier.load_weights(reference, path)
    return reference, OpenVINOClassifier.load(path, sha256=sha256, input_size_px=224)


@pytest.fixture(scope="module")
def crops():
    """A radiograph of each body part, half of them with a lesion, as the network takes them."""
    drawn = [
        draw_radiograph(part, next(iter(views)), seed=number, lesion="break" if number % 2 else None)
        for number, (part, views) in enumerate(VIEWS.items())
    ]
    return np.stack([prepare(radiograph.displayed_greys, 224).square for radiograph in drawn])


@pytest.mark.network
def test_the_real_network_gives_the_same_probabilities_and_evidence(both, crops):
    reference, network = both
    expected = reference(crops, training=False)
    logits, evidence = network.predict(crops)
    probabilities, expected_probabilities = (
        1 / (1 + np.exp(-values)) for values in (logits, expected["logit"].numpy())
    )
    assert np.ptp(expected_probabilities) > 0.5
    assert np.abs(probabilities - expected_probabilities).max() < 1e-4
    for found, wanted in zip(evidence, expected["evidence"].numpy(), strict=True):
        assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.999
        assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max()


@pytest.mark.network
def test_its_heat_maps_are_those_of_the_textbook(both, crops):
    reference, network = both
    _, evidence = network.predict(crops)
    explained = 0
    for sign in (1, -1):
        for found, expected in zip(evidence, textbook_maps(reference, crops, sign), strict=True):
            shown = heat_map(found, sign)
            if not expected.any():
                assert shown is None
                continue
            explained += 1
            assert np.corrcoef(shown.ravel(), expected.ravel())[0, 1] > 0.999
            assert np.abs(shown - expected).max() < 1e-3
    assert explained >= len(crops)


@pytest.mark.network
def test_the_real_network_gives_an_image_the_same_bits_in_any_company(both, crops):
    _, network = both
    logits, evidence = network.predict(crops)
    for number in range(len(crops)):
        alone = network.predict(crops[number : number + 1])
        assert alone[0][0] == logits[number]
        assert np.array_equal(alone[1][0], evidence[number])


def test_it_computes_in_float32_even_where_the_processor_has_faster_numbers(network):
    assert network.precision == "float32"


def test_every_run_gives_the_same_bits(network):
    runs = [network.predict(greys()) for _ in range(3)]
    for logits, evidence in runs[1:]:
        assert np.array_equal(logits, runs[0][0])
        assert np.array_equal(evidence, runs[0][1])


@pytest.mark.parametrize("count", [2, 3, 8])
def test_an_image_gives_the_same_bits_in_any_company(network, count):
    batch = greys(count)
    logits, evidence = network.predict(batch)
    for number in range(count):
        alone = network.predict(batch[number : number + 1])
        assert alone[0][0] == logits[number]
        assert np.array_equal(alone[1][0], evidence[number])


def test_results_stay_when_the_next_batch_comes(network):
    logits, evidence = network.predict(greys())
    kept = logits.copy(), evidence.copy()
    network.predict(greys(seed=2))
    assert np.array_equal(logits, kept[0])
    assert np.array_equal(evidence, kept[1])


def test_the_logit_is_the_mean_of_the_evidence_plus_the_bias(weights, network):
    logits, evidence = network.predict(greys())
    np.testing.assert_allclose(
        logits - evidence.mean((1, 2)), read_weights(weights[0])["logit/bias"], atol=1e-5
    )


def test_features_times_the_head_are_the_logit(weights, network):
    arrays = read_weights(weights[0])
    features = FeatureExtractor(arrays, input_size_px=SIDE).extract(greys())
    channels = arrays["head/kernel"].shape[2]
    assert (features.shape, features.dtype) == ((3, channels), np.float32)
    logits = features @ arrays["head/kernel"].reshape(channels).astype(np.float32) + arrays["logit/bias"]
    np.testing.assert_allclose(logits, network.predict(greys())[0], atol=1e-4)


def test_a_batch_of_another_size_is_refused(network):
    with pytest.raises(Invalid, match=r"the shape \(n, 96, 96\), not \(3, 40, 40\)"):
        network.predict(greys(side=40))


def test_a_wrong_hash_is_refused(weights):
    with pytest.raises(Invalid, match="registered is 0000"):
        load((weights[0], "0" * 64))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(Unavailable, match="cannot be read"):
        load((tmp_path / "nothing.npz", "0" * 64))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("9900000 100000", 8)],
)
def test_it_uses_the_cores_of_its_affinity_and_no_more_than_its_quota(monkeypatch, tmp_path, quota, expected):
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(openvino, "CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(openvino.os, "sched_getaffinity", lambda _process: set(range(8)))
    assert openvino.threads() == expected
