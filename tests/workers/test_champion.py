"""The classifier in charge is loaded once and again when it changes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import make_classifier
from workers import champion
from worklist import database
from worklist.classifiers import versions
from worklist.classifiers.versions import NoClassifier
from worklist.tables import ClassifierState, ClassifierVersion

CARD = Path(champion.__file__).parent / "demo_classifier" / "card.json"
# What an inference worker does when it starts and at its first image, and what it would call.
PROGRAM = """
import sys
calls = []
outside = {"socket.connect", "socket.getaddrinfo", "socket.sendto", "os.fork", "os.posix_spawn"}
sys.addaudithook(lambda event, _: calls.append(event) if event in outside else None)
import numpy
import workers.app, workers.tasks
from workers import champion
champion.warm()
network = champion.current().classifier
network.predict(numpy.zeros((1, 224, 224), numpy.float32))
unwanted = [name for name in ("tensorflow", "keras", "openvino_telemetry") if sys.modules.get(name)]
print(type(network).__name__, unwanted, calls)
"""


@pytest.fixture
def loads(monkeypatch):
    loaded = []

    def load(path, sha256, size):
        loaded.append(path)
        return object()

    monkeypatch.setattr(champion, "_loaded", {})
    monkeypatch.setattr(champion, "_load", load)
    return loaded


def test_it_is_loaded_once(site, loads):
    with database.transaction() as session:
        version = make_classifier(session, weights_path="first").id
    assert champion.current().version_id == version
    assert champion.current() is champion.current()
    assert loads == ["first"]


def test_a_promoted_version_takes_its_place(site, loads):
    with database.transaction() as session:
        first = make_classifier(session, weights_path="first").id
    champion.current()
    with database.transaction() as session:
        session.get_one(ClassifierVersion, first).state = ClassifierState.RETIRED
        session.flush()
        second = make_classifier(session, weights_path="second").id
    assert champion.current().version_id == second
    assert loads == ["first", "second"]


def test_without_one_the_worker_starts_nevertheless(site, loads):
    champion.warm()
    assert loads == []
    with pytest.raises(NoClassifier):
        champion.current()


def test_weights_that_cannot_be_loaded_are_a_reason_not_to_score(site, monkeypatch, tmp_path):
    (tmp_path / "weights.npz").write_bytes(b"other weights")
    monkeypatch.setattr(champion, "_loaded", {})
    with database.transaction() as session:
        make_classifier(session, weights_path=str(tmp_path / "weights.npz"))
    with pytest.raises(NoClassifier, match=r"Not scored: the weights weights\.npz have the hash"):
        champion.current()


def test_the_champion_and_the_shadow_are_both_kept_and_others_let_go(site, loads):
    with database.transaction() as session:
        ids = [make_classifier(session, weights_path="champion").id]
        ids.append(make_classifier(session, weights_path="shadow", state=ClassifierState.SHADOW).id)
    for _ in range(2):
        assert [champion.current().version_id, champion.of_version(ids[1]).version_id] == ids
    assert loads == ["champion", "shadow"]
    with database.transaction() as session:
        session.get_one(ClassifierVersion, ids[1]).state = ClassifierState.RETIRED
        session.flush()
        make_classifier(session, weights_path="next", state=ClassifierState.SHADOW)
    with pytest.raises(NoClassifier, match="neither in charge nor in shadow"):
        champion.of_version(ids[1])


@pytest.mark.network
def test_an_inference_worker_imports_no_tensorflow_and_calls_nobody(site, monkeypatch):
    monkeypatch.setenv("WORKLIST_DEMO", "true")
    with database.transaction() as session:
        versions.register(session, CARD, "adam")
        versions.promote(session, "demo-1", "adam")
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=240)
    assert done.stdout.splitlines()[-1:] == ["OpenVINOClassifier [] []"], done.stderr
