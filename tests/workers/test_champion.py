"""The classifier in charge is loaded once and again when it changes."""

import sys
from types import SimpleNamespace

import pytest

from tests.factories import make_classifier
from workers import champion
from worklist import database
from worklist.classifiers.versions import NoClassifier
from worklist.errors import Invalid
from worklist.tables import ClassifierState, ClassifierVersion


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


def test_weights_that_cannot_be_loaded_are_a_reason_not_to_score(site, monkeypatch):
    class Classifier:
        @staticmethod
        def load(*_, **__):
            raise Invalid("the weights have another hash.")

    # The real module loads TensorFlow, which says nothing more here.
    monkeypatch.setitem(sys.modules, "workers.classifier", SimpleNamespace(Classifier=Classifier))
    monkeypatch.setattr(champion, "_loaded", {})
    with database.transaction() as session:
        make_classifier(session)
    with pytest.raises(NoClassifier, match=r"Not scored: the weights have another hash\."):
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
