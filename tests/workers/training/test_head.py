"""The head alone: the best weights for given features."""

import numpy as np
import pytest

pytest.importorskip("keras")

from tests.workers.training.tiny import tiny_network, tiny_snapshot
from workers.training.head import fit_head, logistic_regression, pooled_features


def test_regression_is_the_minimum_of_its_loss():
    random = np.random.default_rng(3)
    features = random.normal(size=(60, 5)).astype(np.float32)
    labels = (features[:, 0] + random.normal(0, 1, 60) > 0).astype(np.float32)
    weights, bias = logistic_regression(features, labels, ridge=0.05)
    chance = 1 / (1 + np.exp(-(features @ weights + bias)))
    gradient = features.T @ (chance - labels) + 0.05 * 60 * weights
    assert np.abs(gradient).max() < 1e-3
    assert abs((chance - labels).sum()) < 1e-3


def test_fitted_head_separates_what_the_features_separate():
    network, images = tiny_network(), tiny_snapshot()
    features = pooled_features(network, images, 64)
    fit_head(network, features, images.labels, ridge=0.001)
    logits = network(images.crops(64), training=False)["logit"].numpy()
    assert logits[images.labels == 1].min() > logits[images.labels == 0].max()
