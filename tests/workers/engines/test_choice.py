"""Which engine a worker uses, and what it says when it cannot use it."""

import json
import logging
import sys
from pathlib import Path

import pytest

from tests.conftest import forget
from tests.workers.engines.shallow import write_weights
from workers import champion
from workers.engines import choice
from workers.engines.openvino import OpenVINOClassifier
from worklist.errors import Invalid, Unavailable

DEMO = Path(champion.__file__).parent / "demo_classifier"


@pytest.fixture(scope="module")
def shallow(tmp_path_factory):
    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def chosen(site, monkeypatch):
    def load(weights, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"WORKLIST_{name.upper()}", value)
        forget()
        path, sha256 = weights
        return choice.load(path, sha256=sha256, input_size_px=96)

    return load


@pytest.fixture
def no_openvino(monkeypatch):
    monkeypatch.setitem(sys.modules, "workers.engines.openvino", None)


def demo():
    return DEMO / "weights.npz", json.loads((DEMO / "card.json").read_text(encoding="utf-8"))["sha256"]


@pytest.mark.parametrize("engine", ["auto", "openvino"])
def test_on_processors_it_is_openvino_in_float32(chosen, shallow, engine):
    network = chosen(shallow, engine=engine)
    assert (type(network), network.precision) == (OpenVINOClassifier, "float32")


def test_a_device_that_tensorflow_cannot_use_changes_nothing(chosen, shallow, monkeypatch, tmp_path):
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(choice, "DEVICES", tmp_path)
    assert isinstance(chosen(shallow), OpenVINOClassifier)


@pytest.mark.network
def test_tensorflow_is_used_where_it_is_asked_for(chosen):
    network = chosen(demo(), engine="tensorflow")
    assert type(network).__module__ == "workers.classifier"


@pytest.mark.network
def test_where_openvino_does_not_run_tensorflow_takes_its_place_and_the_log_says_so(
    chosen, no_openvino, caplog
):
    network = chosen(demo())
    assert type(network).__module__ == "workers.classifier"
    assert "OpenVINO does not run here: TensorFlow takes its place" in caplog.text


def test_asked_for_openvino_and_nothing_else_it_says_why_not(chosen, no_openvino, shallow):
    with pytest.raises(Unavailable, match=r"OpenVINO does not run here \(.*workers\.engines\.openvino"):
        chosen(shallow, engine="openvino")


def test_wrong_weights_are_not_tried_with_the_other_engine(chosen, shallow, caplog):
    with pytest.raises(Invalid, match="registered is 0000"):
        chosen((shallow[0], "0" * 64))
    assert "TensorFlow" not in caplog.text


def test_bfloat16_that_was_not_measured_is_float32_and_the_log_says_why(chosen, shallow, caplog):
    with caplog.at_level(logging.WARNING):
        assert chosen(shallow, precision="bfloat16").precision == "float32"
    assert "bfloat16 is not used, but float32: its loss was not measured for these weights" in caplog.text
