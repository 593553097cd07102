"""The command: what it refuses at once, how it prints, and one real run with DenseNet201."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.workers.training.tiny import tiny_images
from workers.training.__main__ import STOPPED, line, main
from workers.training.events import Stage, TrainingEvent
from worklist import settings
from worklist.dataset.record import Split
from worklist.dataset.snapshot import Role, SnapshotImage, write_snapshot
from worklist.dataset.synthesis import synthesize

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "workers/demo_classifier/weights.npz"


@pytest.fixture
def snapshot(tmp_path):
    path = tmp_path / "snapshot.jsonl"
    write_snapshot(path, tiny_images(tmp_path / "images", fit=2, tune=2, test=0))
    return path


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--recipe", "quick"], "The recipe quick is none of head, last-block, full, and no file to read"),
        (["--start", "nothing.npz"], "the weights nothing.npz cannot be read: No such file or directory"),
        (["--start", "imagenet"], "WORKLIST_IMAGENET_WEIGHTS is empty: it names the file to start from."),
    ],
)
def test_mistake_is_told_in_a_sentence(arguments, sentence, snapshot, tmp_path, capsys):
    assert main([str(snapshot), "--to", str(tmp_path / "run"), *arguments]) == 1
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_file_that_is_no_snapshot_is_told(tmp_path, capsys):
    (tmp_path / "snapshot").write_text("{}\n")
    assert main([str(tmp_path / "snapshot"), "--to", str(tmp_path / "run")]) == 1
    assert "is no snapshot" in capsys.readouterr().err


def test_file_of_imagenet_is_the_one_of_the_setting(snapshot, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("WORKLIST_IMAGENET_WEIGHTS", str(snapshot))
    settings.current.cache_clear()
    assert main([str(snapshot), "--to", str(tmp_path / "run")]) == 1
    assert f"{snapshot} has MD5" in capsys.readouterr().err


def test_help_names_recipes_and_starts(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(
        word in text for word in ("head, last-block, full", "imagenet", "scratch", "WORKLIST_IMAGENET_WEIGHTS")
    )


def test_event_is_one_line():
    event = TrainingEvent(Stage.FINE_TUNING, 2, 10, 30, 136, 0.4321, {"study_kappa": 0.6}, 4000.0)
    assert line(event) == "fine-tuning  epoch 2/10  30/136  loss 0.4321  study_kappa 0.600  1 h 06 min left"
    assert line(TrainingEvent(Stage.IMAGES, message="x is left out.")) == "images  x is left out."
    assert line(TrainingEvent(Stage.HEAD, step=1, steps=2, seconds_left=62)).endswith("1/2  1 min 02 s left")


def drawn_snapshot(folder):
    """Draw a few patients and write a snapshot of them."""
    roles = {Split.TRAIN: Role.FIT, Split.VALID: Role.TUNE}
    images = [
        SnapshotImage(
            image.path,
            image.name,
            image.body_part,
            image.patient,
            image.study,
            image.is_abnormal,
            roles[image.split],
        )
        for image in synthesize(folder / "drawn", patients=28, valid_share=0.5, longest_px=320)
    ]
    write_snapshot(folder / "snapshot.jsonl", images)
    return folder / "snapshot.jsonl"


def command(folder, snapshot):
    options = ["--recipe", "head", "--start", str(DEMO), "--to", str(folder / "run")]
    return [sys.executable, "-m", "workers.training", str(snapshot), *options, "--cache", str(folder / "cache")]


@pytest.mark.network
def test_interrupted_command_goes_on_and_writes_weights_logits_and_history(tmp_path):
    snapshot = drawn_snapshot(tmp_path)
    with subprocess.Popen(
        command(tmp_path, snapshot), cwd=ROOT, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as first:
        told = next(text for text in first.stderr if text.startswith("features"))
        first.send_signal(signal.SIGINT)
        rest = first.stderr.read()
        assert first.wait(60) == STOPPED, rest
    assert "Stopping at the next step" in rest
    assert "the same call goes on there" in rest
    assert "left" in told
    done = subprocess.run(command(tmp_path, snapshot), cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    history = json.loads((run / "history.json").read_text())
    assert history[0]["study_auc"] > 0.8
    logits = [json.loads(text) for text in (run / "logits.jsonl").read_text().splitlines()]
    assert {entry["role"] for entry in logits} == {"tune"}
    assert np.isfinite([entry["logit"] for entry in logits]).all()
    assert f"AUC {history[0]['study_auc']:.3f} over the studies to tune with" in done.stderr
