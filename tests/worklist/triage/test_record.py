"""A prediction becomes a row, and the study's probability, flag, reason and rank follow."""

import math

import numpy as np
import pytest
from sqlalchemy import select

from tests.factories import make_classifier, make_instance, make_study
from worklist import settings
from worklist.tables import (
    Analysis,
    AnalysisState,
    Attention,
    AuditEvent,
    BodyPart,
    Calibration,
    ClassifierState,
    ClinicalPriority,
    Instance,
    ReadingState,
    Result,
    Series,
)
from worklist.triage import record
from worklist.triage.analyses import claim_batch
from worklist.triage.leases import Claimant
from worklist.triage.prediction import Prediction
from worklist.triage.ranking import Policy, rank_key
from worklist.triage.record import Outcome, mark_waiting_again, mark_without_classifier, record_predictions

HALF = Prediction(logit=0.0)
HIGH = Prediction(logit=2.0)
LOW = Prediction(logit=-2.0)
UNREADABLE = Prediction(reason="Its pixel data is damaged.")


def sigmoid(logit):
    return 1 / (1 + math.exp(-logit))


@pytest.fixture(autouse=True)
def one_image_at_a_time(site, monkeypatch):
    monkeypatch.setenv("WORKLIST_ANALYSIS_BATCH_SIZE", "1")
    settings.current.cache_clear()


@pytest.fixture
def classifier(session):
    return make_classifier(session, threshold=0.6)


def analyse(session, study, classifier, *predictions):
    """Claim as many of the study's waiting images as there are predictions, and record these."""
    claims = []
    for instance in images_of(session, study)[: len(predictions)]:
        claims += claim_batch(session, instance.id, Claimant("worker", classifier.id, 1))
    outcomes = [
        Outcome(item.analysis_id, item.attempt, prediction)
        for item, prediction in zip(claims, predictions, strict=False)
    ]
    return record_predictions(session, outcomes)


def images_of(session, study):
    rows = select(Instance).join(Instance.series).where(Series.study_id == study.id).order_by(Instance.id)
    return session.scalars(rows).all()


@pytest.fixture
def study_of(session):
    return lambda images, **values: make_study(session, images=images, **values)


class TestStudy:
    def test_a_study_is_scored_by_the_mean_of_its_images(self, session, classifier, study_of):
        study = study_of(2)
        analyse(session, study, classifier, HIGH, LOW)
        assert study.result is Result.SCORED
        assert study.study_probability == pytest.approx(0.5)
        assert study.probability_rule == "mean of the images"
        assert study.result_reason == ""

    def test_its_place_in_the_list_follows_the_probability(self, session, classifier, study_of, frozen):
        study = study_of(1, clinical_priority=ClinicalPriority.HIGH)
        analyse(session, study, classifier, HIGH)
        expected = rank_key(study.received_at, sigmoid(2.0), "HIGH", policy=Policy())
        assert study.rank_key == expected

    @pytest.mark.parametrize(
        ("prediction", "attention"),
        [(HIGH, Attention.FLAGGED), (HALF, Attention.LOOK_CLOSER), (LOW, Attention.NONE)],
    )
    def test_it_is_flagged_by_the_operating_points_of_its_body_part(
        self, session, classifier, study_of, prediction, attention
    ):
        study = study_of(1)
        analyse(session, study, classifier, prediction)
        assert study.attention is attention

    def test_the_probability_is_calibrated_for_the_body_part(self, session, study_of):
        halved = Calibration(body_part=BodyPart.HAND, slope=0.5, intercept=-1.0)
        classifier = make_classifier(session, calibrations=[halved])
        hand, wrist = study_of(1, body_part=BodyPart.HAND), study_of(1, body_part=BodyPart.WRIST)
        analyse(session, hand, classifier, HIGH)
        analyse(session, wrist, classifier, HIGH)
        assert hand.study_probability == pytest.approx(0.5)
        assert wrist.study_probability == pytest.approx(sigmoid(2.0))

    def test_the_first_of_several_images_gives_a_provisional_result(self, session, classifier, study_of):
        study = study_of(3)
        analyse(session, study, classifier, HIGH)
        assert study.result is Result.SCORED
        assert study.result_reason == "1 of 3 images analysed so far."

    def test_each_new_result_has_a_new_version(self, session, classifier, study_of):
        study = study_of(1)
        analyse(session, study, classifier, HIGH)
        first = study.result_version
        late = make_instance(session, session.get_one(Series, images_of(session, study)[0].series_id))
        claims = claim_batch(session, late.id, Claimant("worker", classifier.id, 1))
        record_predictions(session, [Outcome(claims[0].analysis_id, 1, LOW)])
        assert study.result_version == first + 1
        assert study.study_probability == pytest.approx(0.5)

    def test_a_result_of_the_demo_classifier_is_marked(self, session, study_of):
        study = study_of(1)
        analyse(session, study, make_classifier(session, is_demo=True), HIGH)
        assert study.is_demo_score

    def test_the_result_is_recorded_without_a_patient(self, session, classifier, study_of):
        study = study_of(1)
        analyse(session, study, classifier, HIGH)
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "study.analysed")).one()
        assert (event.about_type, event.about_id, event.who) == ("study", study.id, "worker")
        assert event.detail["result"] == "scored"
        assert study.patient_id not in str(event.detail)

    def test_an_image_that_was_replaced_does_not_count(self, session, classifier, study_of):
        study = study_of(2)
        images_of(session, study)[1].is_current = False
        analyse(session, study, classifier, HIGH, LOW)
        assert study.study_probability == pytest.approx(sigmoid(2.0))


class TestFailure:
    def test_a_study_of_which_no_image_can_be_judged_fails_with_the_reason(self, session, classifier, study_of):
        study = study_of(2, waiting_minutes=30)
        by_age = study.rank_key
        analyse(session, study, classifier, UNREADABLE, UNREADABLE)
        assert study.result is Result.FAILED
        assert study.result_reason == "Its pixel data is damaged."
        assert study.study_probability is None
        assert study.rank_key == by_age

    def test_one_unreadable_image_does_not_hide_what_the_others_show(self, session, classifier, study_of):
        study = study_of(2)
        analyse(session, study, classifier, HIGH, UNREADABLE)
        assert study.result is Result.SCORED
        assert study.study_probability == pytest.approx(sigmoid(2.0))
        assert study.result_reason == "1 without a prediction: Its pixel data is damaged."

    def test_a_first_unreadable_image_leaves_the_study_waiting(self, session, classifier, study_of):
        study = study_of(2)
        analyse(session, study, classifier, UNREADABLE)
        assert study.result is Result.WAITING

    def test_a_mix_says_both(self, session, classifier, study_of):
        study = study_of(3)
        analyse(session, study, classifier, HIGH, UNREADABLE)
        assert study.result_reason == (
            "1 of 3 images analysed so far. 1 without a prediction: Its pixel data is damaged."
        )

    def test_a_failed_analysis_keeps_its_reason_and_needs_no_other(self, session, classifier, study_of):
        study = study_of(1)
        analyse(session, study, classifier, UNREADABLE)
        row = session.scalars(select(Analysis)).one()
        assert (row.state, row.reason) == (AnalysisState.FAILED, "Its pixel data is damaged.")
        assert row.probability is None
        assert not images_of(session, study)[0].needs_analysis


class TestRow:
    def test_everything_a_prediction_says_is_kept(self, session, classifier, study_of, frozen):
        heat_map = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
        prediction = Prediction(
            logit=-1.5,
            crop=(1, 2, 30, 40),
            crop_reason="No edges.",
            heat_map=heat_map,
            explained_class="normal",
        )
        analyse(session, study_of(1), classifier, prediction)
        row = session.scalars(select(Analysis)).one()
        assert (row.state, row.logit, row.explained_class) == (AnalysisState.DONE, -1.5, "normal")
        assert (row.crop_top, row.crop_left, row.crop_height, row.crop_width) == (1, 2, 30, 40)
        assert (row.crop_reason, row.finished_at, row.lease_expires_at) == ("No edges.", frozen.time, None)
        stored = np.frombuffer(row.heat_map, "<f2").reshape(row.heat_map_rows, row.heat_map_columns)
        np.testing.assert_allclose(stored, heat_map, atol=1e-3)

    def test_a_prediction_without_evidence_has_no_heat_map(self, session, classifier, study_of):
        analyse(session, study_of(1), classifier, HIGH)
        assert session.scalars(select(Analysis)).one().heat_map is None


class TestFence:
    def test_a_slow_worker_cannot_overwrite_what_a_later_one_wrote(self, session, classifier, study_of, frozen):
        study = study_of(1)
        image = images_of(session, study)[0].id
        slow = claim_batch(session, image, Claimant("slow", classifier.id, 1))[0]
        frozen.advance(seconds=21)
        later = claim_batch(session, image, Claimant("later", classifier.id, 1))[0]
        assert record_predictions(session, [Outcome(later.analysis_id, later.attempt, HIGH)]) == [image]
        version = study.result_version
        assert record_predictions(session, [Outcome(slow.analysis_id, slow.attempt, LOW)]) == []
        session.expire_all()
        assert study.study_probability == pytest.approx(sigmoid(2.0))
        assert study.result_version == version

    def test_a_result_that_comes_before_the_later_worker_is_done_is_refused_too(
        self, session, classifier, study_of, frozen
    ):
        study = study_of(1)
        image = images_of(session, study)[0].id
        slow = claim_batch(session, image, Claimant("slow", classifier.id, 1))[0]
        frozen.advance(seconds=21)
        claim_batch(session, image, Claimant("later", classifier.id, 1))
        assert record_predictions(session, [Outcome(slow.analysis_id, slow.attempt, LOW)]) == []
        assert study.result is Result.WAITING

    def test_a_result_that_is_recorded_twice_counts_once(self, session, classifier, study_of):
        study = study_of(1)
        item = claim_batch(session, images_of(session, study)[0].id, Claimant("w", classifier.id, 1))[0]
        outcome = Outcome(item.analysis_id, item.attempt, HIGH)
        assert len(record_predictions(session, [outcome])) == 1
        assert record_predictions(session, [outcome]) == []
        assert study.result_version == 1


class TestChangeOfClassifier:
    @pytest.fixture
    def between(self, session, classifier, study_of):
        """A study of two images; the classifier is replaced between their analyses."""
        study = study_of(2)
        analyse(session, study, classifier, HIGH)
        late = claim_batch(session, images_of(session, study)[1].id, Claimant("old", classifier.id, 1))[0]
        classifier.state = ClassifierState.RETIRED
        session.flush()
        return study, late, make_classifier(session, threshold=0.3)

    def test_images_judged_before_go_on_counting(self, session, between):
        study, _, newer = between
        item = claim_batch(session, images_of(session, study)[1].id, Claimant("new", newer.id, 1))[0]
        record_predictions(session, [Outcome(item.analysis_id, 1, LOW)])
        assert study.study_probability == pytest.approx(0.5)
        assert study.result_reason == ""

    def test_the_operating_points_are_those_of_the_classifier_in_charge(self, session, between):
        study, _, newer = between
        item = claim_batch(session, images_of(session, study)[1].id, Claimant("new", newer.id, 1))[0]
        record_predictions(session, [Outcome(item.analysis_id, 1, LOW)])
        assert study.attention is Attention.FLAGGED

    def test_a_late_result_of_the_former_one_does_not_replace_the_newer(self, session, between):
        study, late, newer = between
        item = claim_batch(session, images_of(session, study)[1].id, Claimant("new", newer.id, 1))[0]
        record_predictions(session, [Outcome(item.analysis_id, 1, LOW)])
        record_predictions(session, [Outcome(late.analysis_id, 1, HIGH)])
        assert study.study_probability == pytest.approx(0.5)


class TestWithoutClassifier:
    def test_waiting_studies_are_told_why_and_keep_their_place(self, session, study_of):
        study = study_of(1)
        place = study.rank_key
        assert mark_without_classifier(session, "None approved.") == 1
        session.expire_all()
        assert (study.result, study.result_reason) == (Result.NO_CLASSIFIER, "None approved.")
        assert study.rank_key == place

    def test_the_newest_reason_counts_and_is_told_once(self, session, study_of):
        study = study_of(1)
        mark_without_classifier(session, "None approved.")
        assert mark_without_classifier(session, "Its weights are missing.") == 1
        assert mark_without_classifier(session, "Its weights are missing.") == 0
        session.expire_all()
        assert study.result_reason == "Its weights are missing."

    def test_only_waiting_studies_are_told(self, session):
        scored = make_study(session, probability=0.9)
        read = make_study(session, reading_state=ReadingState.READ, is_open=False)
        assert mark_without_classifier(session, "None approved.") == 0
        session.expire_all()
        assert (scored.result, read.result) == (Result.SCORED, Result.WAITING)

    def test_they_wait_again_once_a_classifier_is_approved(self, session, study_of):
        study = study_of(1)
        mark_without_classifier(session, "None approved.")
        assert mark_waiting_again(session) == 1
        session.expire_all()
        assert (study.result, study.result_reason) == (Result.WAITING, "")

    def test_those_told_of_another_reason_go_on_saying_so(self, session, study_of):
        study_of(1)
        mark_without_classifier(session, "Its weights are missing.")
        assert mark_waiting_again(session, told=["None approved."]) == 0

    def test_a_study_without_an_image_to_judge_is_out_of_scope(self, session, classifier, study_of):
        study = study_of(1)
        images_of(session, study)[0].needs_analysis = False
        images_of(session, study)[0].no_analysis_reason = "It is a lateral knee."
        session.flush()
        record.refresh_study(session, study.id)
        assert (study.result, study.result_reason) == (Result.OUT_OF_SCOPE, "It is a lateral knee.")
