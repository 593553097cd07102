"""A worker's round over images that were analysed before: one batch, then the next job."""

import numpy as np
import pytest
from sqlalchemy import select

from tests.factories import make_analysis, make_classifier, make_instance, make_study
from tests.workers.images import greys
from tests.worklist import datasets
from workers import champion, housekeeping, rescoring
from worklist import database, jobs
from worklist.classifiers import versions
from worklist.tables import Analysis, AnalysisState, ClassifierState, Study


class StandIn:
    """A network that says of every image what it is told to."""

    input_size_px = 32

    def __init__(self, logit):
        self.logit = logit

    def predict(self, batch):
        return np.full(len(batch), self.logit, np.float32), np.ones((len(batch), 4, 4), np.float32)


@pytest.fixture
def two_versions(site, monkeypatch):
    """A champion that has scored three studies, and a draft that thinks otherwise."""
    path = site.archive_folder / "one.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.write(datasets.make_radiograph(**greys()), path)
    with database.transaction() as session:
        old = make_classifier(session, name="old")
        new = make_classifier(session, name="new", state=ClassifierState.DRAFT, weights_path="new")
        for _ in range(3):
            study = make_study(session, images=0, probability=0.82, scored_by_id=old.id)
            for _ in range(4):
                instance = make_instance(session, study.series[0], file_path="one.dcm", rows=64, columns=64)
                make_analysis(session, instance, old, probability=0.82)
        ids = old.id, new.id
    monkeypatch.setattr(champion, "_loaded", {})
    monkeypatch.setattr(champion, "_load", lambda path, *_: StandIn(-3.0 if path == "new" else 3.0))
    return ids


def probabilities():
    with database.reading() as session:
        return [round(value, 2) for value in session.scalars(select(Study.study_probability))]


def run_all(sent_jobs, version_id):
    """Run the jobs that ask for each other, as a worker does; return how many there were."""
    housekeeping.sweep()
    number = 0
    while (jobs.ANALYSE_OFFERED.name, version_id) in sent_jobs:
        sent_jobs.remove((jobs.ANALYSE_OFFERED.name, version_id))
        rescoring.analyse_offered(version_id)
        number += 1
    return number


def test_a_promotion_scores_what_waits_in_batches_of_whole_studies(two_versions, sent_jobs):
    _, new = two_versions
    with database.transaction() as session:
        versions.promote(session, "new", "lena")
    assert probabilities() == [0.82] * 3
    assert run_all(sent_jobs, new) == 3  # two studies, one study, nothing left
    assert probabilities() == [0.05] * 3


def test_a_shadow_goes_through_the_same_and_shows_nothing(two_versions, sent_jobs):
    _, new = two_versions
    with database.transaction() as session:
        versions.watch(session, "new", "adam")
    run_all(sent_jobs, new)
    assert probabilities() == [0.82] * 3
    with database.reading() as session:
        done = select(Analysis).where(
            Analysis.classifier_version_id == new, Analysis.state == AnalysisState.DONE
        )
        assert len(session.scalars(done).all()) == 12


def test_a_version_that_is_neither_any_more_does_nothing(two_versions, sent_jobs):
    _, new = two_versions
    assert rescoring.analyse_offered(new) == 0
    assert sent_jobs == []


def test_a_shadow_that_cannot_be_loaded_says_so_on_its_page(two_versions, sent_jobs, monkeypatch):
    _, new = two_versions

    def broken(*_):
        raise versions.NoClassifier("Not scored: the weights have another hash.")

    monkeypatch.setattr(champion, "_load", broken)
    with database.transaction() as session:
        versions.watch(session, "new", "adam")
    assert rescoring.analyse_offered(new) == 0
    with database.reading() as session:
        assert versions.named(session, "new").trouble == "Not scored: the weights have another hash."
