"""``python -m workers.engines measure``: from stored images to a figure that workers obey."""

import json

import numpy as np
import pytest

from tests.factories import make_analysis, make_classifier, make_instance, make_study
from tests.workers.engines.shallow import write_weights
from tests.workers.images import greys
from tests.worklist import datasets
from workers.engines import __main__ as command
from workers.engines import precision
from workers.engines.openvino import OpenVINOClassifier
from workers.engines.precision import Precision, allowed
from worklist import database
from worklist.tables import ClassifierState


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The weights of a network that this processor can run in bfloat16."""
    path, sha256 = write_weights(tmp_path_factory.mktemp("weights"))
    network = OpenVINOClassifier.load(path, sha256=sha256, input_size_px=64, precision=Precision.BFLOAT16)
    if network.precision != "bfloat16":
        pytest.skip("this processor has no bfloat16")
    return path, sha256


@pytest.fixture
def stored(site, weights):
    """A classifier in charge, and images in the archive that it has judged; one file is damaged."""
    with database.transaction() as session:
        version = make_classifier(
            session, name="site-1", weights_path=str(weights[0]), weights_sha256=weights[1], input_size_px=64
        )
        for number in range(5):
            name = f"2026/03/02/{number}.dcm"
            path = site.archive_folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            datasets.write(datasets.make_radiograph(**greys()), path)
            study = make_study(session, images=0)
            instance = make_instance(session, study.series[0], file_path=name, rows=64, columns=64)
            make_analysis(session, instance, version)
    path.write_bytes(b"damaged")


def test_it_tells_what_bfloat16_changes_and_writes_it_down(stored, site, weights, capsys):
    assert command.main(["measure"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("site-1: bfloat16 beside float32 on 4 images of 4 studies\n")
    assert "stays refused for these weights: it was measured on 4 images, and fewer than 100 say little." in out
    (path,) = (site.data_folder / "precision").iterdir()
    assert path.name == f"{weights[1]}-bfloat16.json"
    found = json.loads(path.read_text())["loss"]
    assert 0 < found["mean_change"] <= found["largest_change"] < 0.1


def test_after_it_workers_use_bfloat16_within_the_bound_that_was_given(stored, weights, monkeypatch, capsys):
    monkeypatch.setattr(precision, "FEWEST_IMAGES", 4)
    assert command.main(["measure", "--largest-change", "1e-9"]) == 1
    assert allowed(weights[1], Precision.BFLOAT16) is Precision.FLOAT32
    assert command.main(["measure", "--largest-change", "0.5", "--changed-studies", "4"]) == 0
    assert "workers that start from now on use it" in capsys.readouterr().out
    assert allowed(weights[1], Precision.BFLOAT16) is Precision.BFLOAT16


def test_it_takes_the_last_images_and_the_named_version(stored, capsys):
    with database.transaction() as session:
        make_classifier(session, name="other", state=ClassifierState.DRAFT)
    assert command.main(["measure", "--classifier", "site-1", "--images", "3"]) == 1
    assert "on 2 images" in capsys.readouterr().out  # The last one is damaged.
    assert command.main(["measure", "--classifier", "nobody"]) == 1
    assert capsys.readouterr().err == "No classifier version is named nobody.\n"


def test_a_site_without_analysed_images_is_told_so(site, weights, capsys):
    with database.transaction() as session:
        make_classifier(session, weights_path=str(weights[0]), weights_sha256=weights[1], input_size_px=64)
    assert command.main(["measure"]) == 1
    assert capsys.readouterr().err == "There is no stored image with a prediction to measure on.\n"


def test_bfloat16_is_another_network_and_not_a_wild_one(weights):
    exact, fast = (
        OpenVINOClassifier.load(weights[0], sha256=weights[1], input_size_px=64, precision=one)
        for one in Precision
    )
    batch = np.random.default_rng(1).random((4, 64, 64), dtype=np.float32)
    difference = np.abs(exact.predict(batch)[0] - fast.predict(batch)[0]).max()
    assert 0 < difference < 0.5
