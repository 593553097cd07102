"""Which images a worker gets: together, in rank order, never two workers the same one."""

import threading

import pytest
from sqlalchemy import select

from tests.factories import make_analysis, make_classifier, make_instance, make_study
from worklist import database
from worklist.tables import Analysis, AnalysisState, ClassifierState, Instance, Result
from worklist.triage import analyses
from worklist.triage.analyses import analysed_images, claim_batch, lost_instances
from worklist.triage.leases import Claimant, renew
from worklist.triage.prediction import Prediction
from worklist.triage.record import Outcome, record_predictions


@pytest.fixture
def classifier(session):
    return make_classifier(session)


@pytest.fixture
def one(classifier):
    return Claimant("one", classifier.id, 1)


@pytest.fixture
def other(classifier):
    return Claimant("other", classifier.id, 1)


def waiting_image(session, **values):
    study = make_study(session, images=0, **values)
    return make_instance(session, study.series[0], needs_analysis=True).id


def claimed(session, instance_id, claimant):
    return [item.instance_id for item in claim_batch(session, instance_id, claimant)]


class TestBatch:
    def test_the_named_image_comes_first_and_others_follow_in_rank_order(self, session, frozen, one):
        normal = waiting_image(session, probability=0.1, result=Result.WAITING)
        urgent = waiting_image(session, clinical_priority="STAT")
        named = waiting_image(session)
        assert claimed(session, named, one) == [named, urgent, normal]

    def test_a_batch_is_no_larger_than_configured_and_has_the_named_image(
        self, session, frozen, one, monkeypatch
    ):
        monkeypatch.setenv("WORKLIST_ANALYSIS_BATCH_SIZE", "3")
        analyses.settings.current.cache_clear()
        urgent = [waiting_image(session, waiting_minutes=60 - n) for n in range(5)]
        last = waiting_image(session)
        assert claimed(session, last, one) == [last, *urgent[:2]]

    def test_an_image_that_needs_no_analysis_is_not_claimed(self, session, one):
        study = make_study(session, images=0)
        told = make_instance(session, study.series[0], needs_analysis=False).id
        assert claimed(session, told, one) == []

    def test_an_image_that_does_not_exist_is_no_error(self, session, one):
        assert claim_batch(session, 4711, one) == []

    def test_a_claim_names_worker_file_and_lease(self, session, frozen, one):
        item = claim_batch(session, waiting_image(session), one)[0]
        row = session.get_one(Analysis, item.analysis_id)
        assert (row.state, row.attempt, row.worker) == (AnalysisState.RUNNING, 1, "one")
        assert (row.lease_expires_at - frozen.time).total_seconds() == 20
        assert item.file_path == session.get_one(Instance, item.instance_id).file_path


class TestRivals:
    def test_a_second_worker_gets_nothing_of_what_the_first_has(self, session, frozen, one, other):
        images = [waiting_image(session) for _ in range(4)]
        assert sorted(claimed(session, images[0], one)) == images
        assert [claimed(session, image, other) for image in images] == [[], [], [], []]

    def test_another_classifier_version_has_claims_of_its_own(self, session, frozen, one):
        image = waiting_image(session)
        claim_batch(session, image, one)
        shadow = Claimant("two", make_classifier(session, state=ClassifierState.SHADOW).id, 1)
        assert claimed(session, image, shadow) == [image]

    def test_claims_are_written_in_one_order_or_two_workers_could_each_wait_for_the_other(
        self, session, frozen, one
    ):
        images = [waiting_image(session, waiting_minutes=number) for number in range(5)]
        assert claimed(session, images[2], one) == [images[2], *reversed([*images[:2], *images[3:]])]
        written = session.scalars(select(Analysis.instance_id).order_by(Analysis.id)).all()
        assert list(written) == images

    def test_workers_at_the_same_moment_never_get_the_same_image(self, site):
        with database.transaction() as session:
            version = make_classifier(session).id
            images = [waiting_image(session) for _ in range(24)]
        start, taken, errors = threading.Barrier(4), [], []

        def work(number):
            try:
                start.wait()
                for image in images[number::4]:
                    with database.transaction() as session:
                        taken.extend(claimed(session, image, Claimant(str(number), version, 1)))
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert sorted(taken) == images


class TestDeadWorker:
    def test_an_image_whose_lease_ran_out_is_taken_over_alone(self, session, frozen, one, other):
        image = waiting_image(session)
        claim_batch(session, image, one)
        waiting_image(session)
        frozen.advance(seconds=21)
        again = claim_batch(session, image, other)
        assert [(item.instance_id, item.attempt) for item in again] == [(image, 2)]
        assert session.get_one(Analysis, again[0].analysis_id).worker == "other"

    def test_an_image_of_a_dead_worker_is_not_taken_along_with_others(self, session, frozen, one, other):
        poison = waiting_image(session)
        claim_batch(session, poison, one)
        frozen.advance(seconds=21)
        fresh = waiting_image(session)
        assert claimed(session, fresh, other) == [fresh]

    def test_a_sign_of_life_keeps_the_claim(self, session, frozen, one, other):
        image = waiting_image(session)
        batch = claim_batch(session, image, one)
        for _ in range(5):
            frozen.advance(seconds=15)
            renew(session, batch)
        assert claimed(session, image, other) == []

    def test_a_worker_that_lost_its_claim_cannot_renew_it(self, session, frozen, one, other):
        image = waiting_image(session)
        first = claim_batch(session, image, one)
        frozen.advance(seconds=21)
        second = claim_batch(session, image, other)
        frozen.advance(seconds=15)
        renew(session, first)
        row = session.get_one(Analysis, second[0].analysis_id, populate_existing=True)
        assert (row.lease_expires_at - frozen.time).total_seconds() == 5

    def test_a_result_does_not_get_a_lease_again(self, session, frozen, one):
        batch = claim_batch(session, waiting_image(session), one)
        record_predictions(session, [Outcome(batch[0].analysis_id, 1, Prediction(logit=1.0))])
        renew(session, batch)
        row = session.get_one(Analysis, batch[0].analysis_id, populate_existing=True)
        assert row.lease_expires_at is None

    def test_an_image_that_killed_three_workers_fails_with_the_reason(self, session, frozen, one):
        study = make_study(session, images=1)
        image = session.scalars(select(Instance.id)).one()
        for _ in range(3):
            assert claimed(session, image, one) == [image]
            frozen.advance(seconds=21)
        assert claimed(session, image, one) == []
        session.expire_all()
        assert study.result is Result.FAILED
        assert study.result_reason == (
            "Cannot be analysed: the worker stopped 3 times while it had this image."
        )
        assert lost_instances(session) == []


class TestLost:
    def test_an_image_that_waits_without_a_worker_is_found_after_a_moment(self, session, frozen):
        image = waiting_image(session)
        assert lost_instances(session) == []
        frozen.advance(seconds=11)
        assert lost_instances(session) == [image]

    def test_an_image_that_a_live_worker_has_is_not_lost(self, session, frozen, one):
        image = waiting_image(session)
        batch = claim_batch(session, image, one)
        frozen.advance(seconds=15)
        renew(session, batch)
        assert lost_instances(session) == []
        frozen.advance(seconds=21)
        assert lost_instances(session) == [image]

    def test_an_analysed_image_is_not_lost(self, session, frozen, one):
        batch = claim_batch(session, waiting_image(session), one)
        record_predictions(session, [Outcome(batch[0].analysis_id, 1, Prediction(logit=1.0))])
        frozen.advance(hours=1)
        assert lost_instances(session) == []

    def test_the_oldest_are_offered_and_only_some_at_a_time(self, session, frozen):
        images = []
        for _ in range(20):
            images.append(waiting_image(session))
            frozen.advance(seconds=1)
        frozen.advance(seconds=20)
        assert lost_instances(session) == images[:16]


class TestAnalysedImages:
    def test_those_with_a_prediction_come_back_once_the_last_first(self, session, classifier):
        studies = [make_study(session, images=0, body_part=part) for part in ("HAND", "WRIST", None)]
        images = [make_instance(session, study.series[0], file_path=f"{study.id}.dcm") for study in studies]
        for image in images:
            make_analysis(session, image, classifier)
        make_analysis(session, images[0], classifier, preprocessing_version=2)
        found = analysed_images(session, limit=2)
        assert [(image.study_id, image.body_part, image.file_path) for image in found] == [
            (studies[2].id, None, f"{studies[2].id}.dcm"),
            (studies[1].id, "WRIST", f"{studies[1].id}.dcm"),
        ]
        assert len(analysed_images(session, limit=9)) == 3

    def test_those_without_one_and_replaced_ones_are_left_out(self, session, classifier):
        waiting_image(session)
        for values, state in (({"is_current": False}, AnalysisState.DONE), ({}, AnalysisState.FAILED)):
            image = make_instance(session, make_study(session, images=0).series[0], **values)
            make_analysis(session, image, classifier, state=state)
        assert analysed_images(session, limit=9) == []
