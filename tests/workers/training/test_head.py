"""The head: exact on features, balanced by weights, its penalty chosen on the tuning studies."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.workers.training.test_features import greys_of
from tests.workers.training.tiny import tiny_network
from workers.classifier import load_weights, save_weights
from workers.training.events import Cancelled, Watch
from workers.training.features import TensorFlowExtractor
from workers.training.head import PENALTIES, Examples, fit_head
from worklist.dataset.snapshot import Role, SnapshotImage
from worklist.tables import BodyPart


def examples(count, channels, *, seed, share=0.5, noise=1.0):
    """Draw features of which the first three tell the label."""
    random = np.random.default_rng(seed)
    labels = random.random(count) < share
    features = random.normal(1, noise, (count, channels)).astype(np.float32)
    features[:, :3] += labels[:, None]
    images = [
        SnapshotImage(Path("/x.png"), "x", BodyPart.HAND, "p", f"{seed}-{number}", bool(label), Role.FIT)
        for number, label in enumerate(labels)
    ]
    return Examples(images, features, np.full(count, 0.5, np.float32))


def fitted(fit, tune, **options):
    return fit_head(fit, tune, Watch(**options), iterations=300, seed=1)


def test_network_with_the_head_gives_the_logits_of_the_features(squares, tmp_path):
    network, greys = tiny_network(), greys_of(squares[:6])
    features = TensorFlowExtractor(network).extract(greys)
    images = [square.image for square in squares[:6]]
    example = Examples(images, features, np.full(6, 0.5, np.float32))
    head = fitted(example, example)
    head.put_into(network)
    save_weights(network, tmp_path / "weights.npz")
    load_weights(network, tmp_path / "weights.npz")
    logits = network(greys, training=False)["logit"].numpy()
    assert np.abs(logits).max() > 0.1
    assert np.allclose(head.logits(features), logits, atol=2e-3)


def test_what_tells_the_label_is_found(tmp_path):
    head = fitted(examples(400, 20, seed=1), examples(200, 20, seed=2))
    assert head.figures.auc > 0.85
    assert head.kernel[:3].min() > 3 * np.abs(head.kernel[3:]).max()


def test_few_images_with_many_channels_get_a_strong_penalty():
    few = fitted(examples(40, 300, seed=1), examples(300, 300, seed=2))
    many = fitted(examples(3000, 10, seed=1), examples(300, 10, seed=2))
    assert few.penalty > many.penalty
    assert {few.penalty, many.penalty} <= set(PENALTIES)


def test_weights_move_the_middle_to_where_both_errors_cost_the_same():
    fit, tune = examples(2000, 5, seed=1, share=0.1), examples(500, 5, seed=2, share=0.1)
    labels = fit.labels
    balanced = replace(fit, weights=np.where(labels, 0.9, 0.1).astype(np.float32))
    plain, weighted = fitted(fit, tune), fitted(balanced, tune)
    assert (plain.logits(fit.features)[labels] > 0).mean() < 0.6
    assert (weighted.logits(fit.features)[labels] > 0).mean() > 0.75


def test_channel_that_is_always_silent_does_no_harm():
    fit, tune = examples(100, 6, seed=1), examples(100, 6, seed=2)
    fit.features[:, 5], tune.features[:, 5] = 0, 0
    head = fitted(fit, tune)
    assert np.isfinite(head.kernel).all()
    assert head.kernel[5] == 0


def test_channel_that_dropping_would_disturb_more_counts_less():
    example = examples(200, 1, seed=1)
    twice = replace(example, features=np.concatenate([example.features, example.features + 5], axis=1))
    head = fitted(twice, twice)
    assert head.kernel[0] > 5 * head.kernel[1] > 0


def test_stopping_is_heard_between_two_penalties():
    fit = examples(30, 4, seed=1)
    with pytest.raises(Cancelled, match=f"head stage, 1 of {len(PENALTIES)}"):
        fitted(fit, fit, should_stop=lambda: True)
