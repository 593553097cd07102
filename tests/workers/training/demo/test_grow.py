"""Growing and lifting: a deeper network that computes what is known of the shallow one."""

import keras
import numpy as np
import pytest

from workers.classifier import build_network
from workers.training.demo.dataset import Snapshot
from workers.training.demo.grow import Lift, densenet, grow, lift_head
from workers.training.demo.lift import evidence_of, find_lift

SHALLOW, DEEP = (2, 1, 1, 2), (3, 2, 3, 3)


def stir(network):
    """Give all vectors values that nobody could mistake for their initial ones."""
    random = np.random.default_rng(2)
    for variable in network.variables:
        shape = tuple(variable.shape)
        if "variance" in variable.path:
            variable.assign(random.uniform(0.5, 1.5, shape))
        elif len(shape) <= 1 and "seed" not in variable.path:
            variable.assign(variable + random.normal(0, 0.2, shape))


@pytest.fixture(scope="module")
def networks():
    """A shallow network, and a deep one grown from it."""
    keras.utils.set_random_seed(1)
    shallow, deep = build_network(densenet(SHALLOW)), build_network(densenet(DEEP))
    stir(shallow)
    grow(shallow, deep, SHALLOW, DEEP)
    return shallow, deep


def outputs(network):
    greys = np.random.default_rng(3).random((2, 64, 64), dtype=np.float32)
    found = network(greys, training=False)
    return found["logit"].numpy(), found["evidence"].numpy()


@pytest.mark.network
def test_grown_network_gives_the_same_logit_and_evidence(networks):
    for before, after in zip(*(outputs(network) for network in networks), strict=True):
        assert np.allclose(before, after, atol=1e-4)
        assert np.abs(before).max() > 0.01


@pytest.mark.network
def test_lifted_network_counts_only_evidence_above_the_thresholds(networks):
    shallow, deep = networks
    _, before = outputs(shallow)
    thresholds = np.quantile(before, [0.3, 0.6]).astype(np.float32)
    lift_head(deep, DEEP, Lift(thresholds, scale=4.0, bias=-1.5))
    logit, after = outputs(deep)
    expected = 4.0 * np.maximum(before[..., None] - thresholds, 0).mean(-1)
    assert np.allclose(after, expected, atol=1e-4)
    assert np.allclose(logit, expected.mean((1, 2)) - 1.5, atol=1e-4)
    assert after.max() > 0.01


def test_lift_finds_the_few_cells_of_a_lesion_in_noise():
    random = np.random.default_rng(4)
    labels = np.tile([0, 1], 60).astype(np.float32)
    evidence = random.normal(-2, 1, (120, 7, 7)).astype(np.float32)
    evidence[labels == 1, 2, 3] += 5
    lift = find_lift(evidence, labels)
    logits = lift.scale * np.maximum(evidence[..., None] - lift.thresholds, 0).mean((1, 2, 3)) + lift.bias
    assert np.mean((logits > 0) == labels) > 0.9
    assert lift.cell((2.0, 1.0))[1] == pytest.approx(1 + 2 * lift.thresholds.mean(), rel=1e-5)


@pytest.mark.network
def test_evidence_of_a_snapshot_is_that_of_its_crops(networks):
    squares = np.random.default_rng(5).integers(0, 255, (3, 256, 256), dtype=np.uint8)
    nothing = np.zeros((3, 4), np.int32)
    images = Snapshot(squares, np.zeros(3, np.float32), nothing, np.array(["HAND"] * 3), np.array(["1"] * 3))
    found = evidence_of(networks[0], images, 64, batch=2)
    assert np.allclose(found, networks[0](images.crops(64), training=False)["evidence"], atol=1e-4)
