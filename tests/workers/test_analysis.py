"""A worker's round: claim, read, predict as one batch, record; whatever breaks is a row or comes back."""

import threading

import numpy as np
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import select

from tests.factories import make_classifier, make_instance, make_study
from tests.workers.images import greys
from tests.worklist import datasets
from workers import analysis, champion, housekeeping
from workers.champion import Champion
from worklist import database
from worklist.classifiers.versions import NO_CHAMPION
from worklist.errors import Unavailable
from worklist.tables import Analysis, AnalysisState, Instance, Result, Study


class StandIn:
    """A network that says 2.0 of every image, counts its passes, and breaks on what it is told to."""

    input_size_px = 32

    def __init__(self):
        self.passes = []
        self.breaks_on = lambda batch: None

    def predict(self, batch):
        self.passes.append(len(batch))
        self.breaks_on(batch)
        return np.full(len(batch), 2.0, np.float32), np.ones((len(batch), 4, 4), np.float32)


@pytest.fixture
def network(site, monkeypatch):
    standing_in = StandIn()
    with database.transaction() as session:
        version_id = make_classifier(session).id
    monkeypatch.setattr(champion, "current", lambda: Champion(version_id, standing_in))
    return standing_in


@pytest.fixture
def received(site):
    """Add studies of one image each, with real files; one without a file name has a damaged file."""

    def receive(*images):
        ids = []
        for number, values in enumerate(images):
            name = f"2026/03/02/{number}.dcm"
            path = site.archive_folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if values is None:
                path.write_bytes(b"no DICOM at all")
            else:
                datasets.write(datasets.make_radiograph(**values), path)
            with database.transaction() as session:
                study = make_study(session, images=0, waiting_minutes=100 - number)
                ids.append(make_instance(session, study.series[0], file_path=name, rows=64, columns=64).id)
        return ids

    return receive


def results():
    with database.reading() as session:
        rows = session.scalars(select(Study).order_by(Study.id)).all()
        return [(study.result, study.result_reason) for study in rows]


def test_all_that_wait_go_through_the_network_in_one_pass(network, received, sent_jobs):
    images = received(greys(), greys(), greys())
    assert analysis.analyse(images[2]) == 3
    assert network.passes == [3]
    assert results() == [(Result.SCORED, "")] * 3


def test_a_second_job_for_an_analysed_image_does_nothing(network, received, sent_jobs):
    images = received(greys())
    analysis.analyse(images[0])
    assert analysis.analyse(images[0]) == 0
    assert network.passes == [1]


def test_a_job_for_an_image_that_does_not_exist_is_no_error(network):
    assert analysis.analyse(4711) == 0


def test_the_viewers_copies_are_ordered_when_the_results_are_stored(network, received, sent_jobs):
    images = received(greys(), greys())
    analysis.analyse(images[0])
    assert sorted(sent_jobs) == [("write_display_copy", image) for image in images]


def test_an_unreadable_file_becomes_a_row_with_the_reason_and_spoils_no_other(network, received, sent_jobs):
    images = received(greys(), None, greys())
    assert analysis.analyse(images[0]) == 3
    (first, _), (damaged, reason), (third, _) = results()
    assert (first, damaged, third) == (Result.SCORED, Result.FAILED, Result.SCORED)
    assert reason.startswith("Cannot be analysed: ")
    assert reason.endswith(".")


def test_a_file_that_is_missing_becomes_a_row_with_the_reason(network, received, site, sent_jobs):
    images = received(greys())
    (site.archive_folder / "2026/03/02/0.dcm").unlink()
    analysis.analyse(images[0])
    assert results() == [(Result.FAILED, "The file 2026/03/02/0.dcm is missing in the archive.")]


def test_an_image_on_which_the_classifier_breaks_spoils_no_other(network, received, sent_jobs):
    def breaks(batch):
        if len(batch) > 1 or next(singles) == 1:
            raise RuntimeError("poison")

    singles = iter(range(3))
    network.breaks_on = breaks
    images = received(greys(), greys(), greys())
    assert analysis.analyse(images[0]) == 3
    reason = "Cannot be analysed: the classifier failed (RuntimeError)."
    assert results() == [(Result.SCORED, ""), (Result.FAILED, reason), (Result.SCORED, "")]


def test_a_time_limit_is_not_taken_for_a_fault_of_the_image(network, received, sent_jobs):
    def times_out(_batch):
        raise SoftTimeLimitExceeded

    network.breaks_on = times_out
    images = received(greys(), greys())
    with pytest.raises(SoftTimeLimitExceeded):
        analysis.analyse(images[0])
    assert network.passes == [2]
    assert results() == [(Result.WAITING, "")] * 2


def test_a_database_that_goes_away_while_results_are_stored_loses_nothing(
    network, received, sent_jobs, frozen, monkeypatch
):
    images = received(greys(), greys())

    def away(_session, _outcomes):
        raise Unavailable("The database did not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(analysis.record, "record_predictions", away)
        with pytest.raises(Unavailable):
            analysis.analyse(images[0])
    assert results() == [(Result.WAITING, "")] * 2
    frozen.advance(seconds=21)
    housekeeping.sweep()
    assert sorted(sent_jobs) == [("analyse_instance", image) for image in images]
    assert [analysis.analyse(image) for image in images] == [1, 1]
    assert results() == [(Result.SCORED, "")] * 2


def test_nothing_is_open_in_the_database_while_the_network_computes(network, received, sent_jobs):
    def look(_batch):
        with database.transaction() as session:  # would wait for ever on SQLite
            states.extend(session.scalars(select(Analysis.state)))

    states = []
    network.breaks_on = look
    analysis.analyse(received(greys())[0])
    assert states == [AnalysisState.RUNNING]


def test_a_long_computation_keeps_its_claim_by_signs_of_life(network, received, sent_jobs, monkeypatch):
    monkeypatch.setenv("WORKLIST_ANALYSIS_LEASE_SECONDS", "2")
    analysis.settings.current.cache_clear()
    images = received(greys())
    renewed = []
    real = analysis.leases.renew
    done = threading.Event()

    def renew(session, claims):
        real(session, claims)
        renewed.append(len(claims))
        done.set()

    monkeypatch.setattr(analysis.leases, "renew", renew)
    network.breaks_on = lambda _batch: done.wait(30)
    assert analysis.analyse(images[0]) == 1
    assert renewed[0] == 1


def test_without_a_classifier_studies_are_told_and_wait_again_when_one_is_approved(site, received, sent_jobs):
    images = received(greys())
    assert analysis.analyse(images[0]) == 0
    assert results() == [(Result.NO_CLASSIFIER, NO_CHAMPION)]
    with database.transaction() as session:
        make_classifier(session)
    housekeeping.sweep()
    assert results() == [(Result.WAITING, "")]


def test_weights_that_cannot_be_loaded_are_told_until_they_can(site, received, sent_jobs, monkeypatch):
    images = received(greys())
    with database.transaction() as session:
        make_classifier(session, weights_path=str(site.data_folder / "none.npz"))
    monkeypatch.setattr(champion, "_loaded", {})
    monkeypatch.setattr(champion, "_load", _fails_to_load)
    assert analysis.analyse(images[0]) == 0
    housekeeping.sweep()
    assert results() == [(Result.NO_CLASSIFIER, "Not scored: weights missing.")]


def _fails_to_load(*_):
    raise champion.NoClassifier("Not scored: weights missing.")


def test_the_demo_classifier_scores_only_in_demo_mode(site, received, sent_jobs):
    images = received(greys())
    with database.transaction() as session:
        make_classifier(session, is_demo=True)
    analysis.analyse(images[0])
    (result, reason) = results()[0]
    assert result is Result.NO_CLASSIFIER
    assert "not validated" in reason


def test_a_result_that_came_too_late_orders_nothing(network, received, sent_jobs):
    def taken_over(_batch):
        with database.transaction() as session:
            session.scalars(select(Analysis)).one().attempt = 2

    images = received(greys())
    network.breaks_on = taken_over
    assert analysis.analyse(images[0]) == 0
    assert sent_jobs == []
    with database.reading() as session:
        assert session.get_one(Instance, images[0]).needs_analysis
