"""Training: the loss falls, a stopped run goes on, and places are learnt where they are known."""

import numpy as np
import pytest

from tests.workers.training.demo.tiny import RECIPE, tiny_network, tiny_snapshot
from workers.training.demo.fit import Fit, Phase, Recipe, rate_at


def test_loss_falls_and_lesions_get_the_higher_logit(tmp_path):
    network, images = tiny_network(), tiny_snapshot()
    losses = Fit(network, RECIPE, tmp_path).run(images)
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    logits = network(images.crops(64), training=False)["logit"].numpy()
    assert logits[images.labels == 1].mean() > logits[images.labels == 0].mean()


def test_stopped_run_goes_on_where_it_was(tmp_path):
    told = []
    first = Fit(tiny_network(), RECIPE, tmp_path, report=told.append)
    first.run(tiny_snapshot(), until_phase=1)
    assert first.steps_done == RECIPE.phases[0].steps
    network = tiny_network(seed=99)
    second = Fit(network, RECIPE, tmp_path, report=told.append)
    assert second.steps_done == RECIPE.phases[0].steps
    losses = second.run(tiny_snapshot())
    assert len(losses) == RECIPE.phases[1].steps
    assert [progress.step for progress in told] == list(range(1, second.steps_done + 1))
    assert told[-1].seconds_left == 0


def test_finished_run_is_not_repeated(tmp_path):
    Fit(tiny_network(), RECIPE, tmp_path).run(tiny_snapshot())
    assert Fit(tiny_network(), RECIPE, tmp_path).run(tiny_snapshot()) == []


def test_frozen_statistics_stay(tmp_path):
    network = tiny_network()
    recipe = Recipe((Phase(64, 4, 2, 1e-2, 1e-3, is_statistics_frozen=True),), input_size_px=64, stride_px=8)
    layer = next(layer for layer in network._flatten_layers() if "normalisation" in layer.name)
    before = layer.moving_mean.numpy().copy()
    Fit(network, recipe, tmp_path).run(tiny_snapshot())
    assert np.array_equal(layer.moving_mean.numpy(), before)


def test_learning_rate_rises_and_falls():
    phase = Phase(64, 4, 100, rate=1.0, last_rate=0.1)
    rates = [rate_at(phase, step, 10) for step in range(100)]
    assert rates[0] < 0.2
    assert 8 <= int(np.argmax(rates)) <= 11
    assert rates[-1] == pytest.approx(0.1, abs=0.01)
