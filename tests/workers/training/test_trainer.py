"""Whole runs on a tiny network: they learn, repeat, resume, stop, and keep the best."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.workers.training.tiny import (
    FULL,
    HEAD,
    SIZE_PX,
    tiny_backbone,
    tiny_images,
    tiny_network,
    tiny_start,
)
from workers.classifier import Classifier
from workers.training import memory
from workers.training.batches import plain_batches
from workers.training.events import Cancelled, Stage, Watch
from workers.training.finetune import FineTuning, Material
from workers.training.images import with_role
from workers.training.run_folder import Epoch, RunFolder, alone_in
from workers.training.start import backbone_of
from workers.training.trainer import Places, train
from worklist.classifiers.recipe import Layers, Precision
from worklist.dataset.snapshot import Role
from worklist.errors import Conflict, Invalid

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def places(cache, tmp_path_factory):
    """Give the places of a new run that shares the cache."""
    return lambda: Places(tmp_path_factory.mktemp("run"), cache)


@pytest.fixture(scope="module")
def head(images, places):
    return train(images, HEAD, tiny_start(), places())


@pytest.fixture(scope="module")
def full(images, places):
    return train(images, FULL, tiny_start(), places())


def test_head_learns_what_the_tuning_images_show_too(head, images):
    tune = [image for image in images if image.role is Role.TUNE]
    logits = [head.logits[image.name] for image in tune]
    assert roc_auc_score([image.is_abnormal for image in tune], logits) > 0.85
    assert head.history[0].study_auc == pytest.approx(
        roc_auc_score([image.is_abnormal for image in tune], logits)
    )


@pytest.mark.parametrize("kind", ["head", "full"])
def test_logits_are_those_of_the_stored_weights_in_the_product(kind, squares, request):
    done = request.getfixturevalue(kind)
    judged = with_role(squares, Role.TUNE, Role.TEST)
    classifier = Classifier.load(
        done.weights_path, sha256=done.sha256, input_size_px=SIZE_PX, backbone=tiny_backbone
    )
    logits, _ = classifier.predict(np.concatenate(list(plain_batches(judged, 8).as_numpy_iterator())))
    assert set(done.logits) == {square.image.name for square in judged}
    assert np.allclose([done.logits[square.image.name] for square in judged], logits, atol=2e-3)


def test_head_leaves_the_backbone_as_it_was(head):
    network = tiny_network(HEAD.seed)
    with np.load(head.weights_path) as arrays:
        for weight in backbone_of(network).weights:
            assert np.array_equal(arrays[weight.path].astype(np.float32), weight)


def test_fine_tuning_gets_better_than_the_head_and_keeps_the_best_epoch(full):
    kappas = [epoch.study_kappa for epoch in full.history]
    assert len(kappas) == 1 + FULL.epochs
    assert max(kappas) > kappas[0]
    assert [epoch.loss is None for epoch in full.history] == [True] + [False] * FULL.epochs


def test_same_seed_gives_the_same_weights_and_another_one_others(full, images, places):
    again = train(images, FULL, tiny_start(), places())
    assert (again.sha256, again.history) == (full.sha256, full.history)
    other = train(images, replace(FULL, seed=8, epochs=1), tiny_start(), places())
    assert other.history[1].loss != full.history[1].loss


def test_run_goes_on_after_a_kill_as_if_there_had_been_none(tmp_path, full):
    command = [sys.executable, "-m", "tests.workers.training.killed_run", str(tmp_path), "9"]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=200)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    run = tmp_path / "killed"
    assert len(json.loads((run / "history.json").read_text())) == 2
    assert not (run / "weights.npz").exists()
    told = []
    places = Places(run, tmp_path / "cache")
    gone_on = train(tiny_images(tmp_path / "images"), FULL, tiny_start(), places, report=told.append)
    assert "Going on after step 6 of all epochs." in [event.message for event in told]
    assert gone_on.sha256 == full.sha256
    assert [epoch.loss for epoch in gone_on.history] == [epoch.loss for epoch in full.history]


def test_stopped_run_says_where_and_goes_on_there(images, places, full):
    place, asked = places(), []

    def at_the_second_step():
        asked.append(1)
        return (place.run / "history.json").exists() and len(asked) >= first + 2

    first = len(images) + 11
    with pytest.raises(Cancelled, match=r"stopped at epoch 1 of 4, step \d of 4"):
        train(images, FULL, tiny_start(), place, should_stop=at_the_second_step)
    assert train(images, FULL, tiny_start(), place).history == full.history


def test_finished_run_is_not_repeated(head, images, cache):
    told = []
    again = train(images, HEAD, tiny_start(), Places(head.weights_path.parent, cache), report=told.append)
    assert again == head
    assert told == []


def test_folder_of_another_run_is_refused_with_the_difference(head, images, cache):
    place = Places(head.weights_path.parent, cache)
    with pytest.raises(Conflict, match=r"another run \(seed 7, now 8, flips True, now False\)"):
        train(images, replace(HEAD, seed=8, flips=False), tiny_start(), place)
    with pytest.raises(Conflict, match="start tiny, now other"):
        train(images, HEAD, tiny_start("other"), place)
    with pytest.raises(Conflict, match="snapshot "):
        train(images[1:], HEAD, tiny_start(), place)


def test_two_processes_do_not_train_in_one_folder(images, places):
    place = places()
    with alone_in(place.run), pytest.raises(Conflict, match="Another process trains in"):
        train(images, HEAD, tiny_start(), place)


def test_training_that_only_harms_keeps_the_head_and_ends_early(head, images, places):
    told = []
    recipe = replace(FULL, rate=0.05, epochs=9, patience=2)
    done = train(images, recipe, tiny_start(), places(), report=told.append)
    assert len(done.history) == 3
    assert done.sha256 == head.sha256
    assert "Ended early: nothing got better until epoch 2." in [event.message for event in told]


def test_loss_that_is_no_number_ends_the_run_with_advice(images, squares, tmp_path):
    network, run = tiny_network(), RunFolder(tmp_path, images, FULL, "tiny")
    network.get_layer("logit").bias.assign(np.nan)
    run.note([Epoch(0, None, 0.5, 0.5)])
    fit, tune = with_role(squares, Role.FIT), with_role(squares, Role.TUNE)
    with pytest.raises(Invalid, match=r"The loss is nan at epoch 1, step 1: choose a smaller rate than 1e-05"):
        FineTuning(network, FULL, run, Watch()).run(Material(fit, np.ones(len(fit), np.float32), tune))


def test_last_block_leaves_the_rest_alone(images, places):
    done = train(images, replace(FULL, layers=Layers.LAST_BLOCK, rate=1e-3), tiny_start(), places())
    network = tiny_network(FULL.seed)
    with np.load(done.weights_path) as arrays:
        changed = {
            weight.path.split("/")[0]
            for weight in backbone_of(network).weights
            if not np.array_equal(arrays[weight.path].astype(np.float32), weight)
        }
    assert changed == {"conv5_block1_1_conv", "conv5_block1_2_conv"}


def test_large_batches_train_the_statistics_too(images, places):
    done = train(images, replace(FULL, batch=16, epochs=1, rate=1e-3), tiny_start(), places())
    assert len(done.history) == 2


def test_sixteen_bits_train_and_leave_the_policy_as_it_was(images, places):
    recipe = replace(FULL, mixed_precision=Precision.ON, epochs=2)
    done = train(images, recipe, tiny_start(), places())
    assert keras.config.dtype_policy().name == "float32"
    assert all(np.isfinite(epoch.loss) for epoch in done.history[1:])


def test_run_that_does_not_fit_is_refused_before_anything_is_read(images, places):
    place = places()
    with pytest.raises(memory.NotEnoughMemory):
        train(images, replace(FULL, batch=1024, input_size_px=512), tiny_start(), place)
    assert not any(place.run.glob("*.npz"))


def test_progress_names_no_path(images, places, tmp_path):
    told = []
    train(images, FULL, tiny_start(), places(), report=told.append)
    assert {event.stage for event in told} >= {Stage.IMAGES, Stage.HEAD, Stage.FINE_TUNING, Stage.EVALUATION}
    assert not any("/" in event.message for event in told)
    assert next(event.metrics["study_kappa"] for event in told if event.metrics) <= 1
