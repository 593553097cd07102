"""Growing: the deep network computes what the shallow one computed."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from workers.classifier import build_network  # noqa: E402
from workers.training import grow  # noqa: E402


def stir(network, seed):
    """Give all weights and statistics values that nobody could mistake for their initial ones."""
    random = np.random.default_rng(seed)
    for variable in network.variables:
        if "seed" in variable.path:
            continue
        value = np.asarray(variable.value)
        if value.ndim <= 1:
            variable.assign(
                random.uniform(0.5, 1.5, value.shape)
                if "variance" in variable.path
                else value + random.normal(0, 0.2, value.shape)
            )


@pytest.mark.network
def test_grown_network_gives_the_same_logit_and_evidence(monkeypatch):
    # Six layers in all instead of 201: the mapping of channels is the same.
    monkeypatch.setattr(grow, "DEEP", (3, 2, 3, 2))
    keras.utils.set_random_seed(1)
    shallow = build_network(grow.densenet((2, 1, 1, 2)))
    deep = build_network(grow.densenet(grow.DEEP))
    stir(shallow, 2)
    grow.grow(shallow, deep, (2, 1, 1, 2))
    greys = np.random.default_rng(3).random((2, 64, 64), dtype=np.float32)
    before, after = shallow(greys, training=False), deep(greys, training=False)
    assert np.allclose(before["evidence"], after["evidence"], atol=1e-4)
    assert np.allclose(before["logit"], after["logit"], atol=1e-4)
    assert np.abs(before["evidence"]).max() > 0.01
