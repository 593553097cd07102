"""A version in shadow sees everything and shows nothing; a new one in charge scores anew what waits."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from tests.factories import make_analysis, make_classifier, make_study
from worklist.classifiers import versions
from worklist.tables import Analysis, AnalysisState, ClassifierState, Instance, ReadingState, Series, Study
from worklist.triage import analyses, record, rescoring
from worklist.triage.image_detail import heat_map
from worklist.triage.leases import Claimant
from worklist.triage.prediction import Prediction
from worklist.triage.record import Outcome


@pytest.fixture
def champion(session):
    return make_classifier(session, name="old")


@pytest.fixture
def candidate(session):
    return make_classifier(session, name="new", state=ClassifierState.DRAFT)


def scored(session, champion, *, images=1, **values):
    """Add a study whose images the champion has analysed, and refresh it as a worker does."""
    study = make_study(session, images=images, probability=0.82, **values)
    for instance in instances(session, study):
        make_analysis(session, instance, champion, probability=0.82)
    study.scored_by_id = champion.id
    session.flush()
    return study


def instances(session, study):
    return session.scalars(
        select(Instance).join(Instance.series).where(Series.study_id == study.id).order_by(Instance.id)
    ).all()


def work(session, version, *, logit=-3.0):
    """Do what a worker does until there is nothing left; return the sizes of its batches."""
    sizes = []
    while claims := rescoring.claim(session, Claimant("w:1", version.id, 1)):
        sizes.append(len(claims))
        prediction = Prediction(
            logit=logit, crop=(0, 0, 10, 10), heat_map=np.ones((7, 7), np.float32), explained_class="normal"
        )
        record.record_predictions(
            session, [Outcome(claimed.analysis_id, claimed.attempt, prediction) for claimed in claims]
        )
    while rescoring.refresh_stale(session):
        pass
    return sizes


def test_a_shadow_analyses_what_waits_and_shows_nothing(session, champion, candidate):
    study = scored(session, champion)
    before = (study.study_probability, study.rank_key, study.result_version)
    versions.watch(session, "new", "adam")
    assert work(session, candidate) == [1]
    session.refresh(study)
    assert (study.study_probability, study.rank_key, study.result_version) == before
    assert rescoring.backlog(session, candidate.id).done == 1
    assert heat_map(session, instances(session, study)[0].id).explained_class == "abnormal"


def test_a_shadow_is_offered_each_image_that_the_champion_has_analysed(session, champion, candidate):
    versions.watch(session, "new", "adam")
    study = make_study(session, images=2)
    claims = analyses.claim_batch(session, instances(session, study)[0].id, Claimant("w:1", champion.id, 1))
    record.record_predictions(
        session, [Outcome(claimed.analysis_id, claimed.attempt, Prediction(logit=2.0)) for claimed in claims]
    )
    assert rescoring.idle_versions(session) == [candidate.id]
    assert work(session, candidate) == [2]
    assert rescoring.idle_versions(session) == []


def test_an_image_that_fails_in_shadow_stays_scored(session, champion, candidate):
    study = scored(session, champion)
    versions.watch(session, "new", "adam")
    (claimed,) = rescoring.claim(session, Claimant("w:1", candidate.id, 1))
    broken = Prediction(reason="Cannot be analysed: the classifier failed.")
    assert record.record_predictions(session, [Outcome(claimed.analysis_id, 1, broken)]) == []
    session.refresh(study)
    assert (study.result.value, study.result_reason, study.study_probability) == ("scored", "", 0.82)


def test_a_new_champion_scores_waiting_studies_anew_and_the_old_results_are_kept(session, champion, candidate):
    waiting = scored(session, champion, images=3)
    read = scored(session, champion, reading_state=ReadingState.READ, is_open=False)
    versions.promote(session, "new", "lena")
    assert work(session, candidate) == [3]
    session.refresh(waiting)
    session.refresh(read)
    assert waiting.study_probability == pytest.approx(0.0474, abs=1e-4)
    assert (waiting.scored_by_id, waiting.result_version) == (candidate.id, 2)
    assert (read.study_probability, read.result_version) == (0.82, 1)
    kept = session.scalars(select(Analysis.probability).where(Analysis.classifier_version_id == champion.id))
    assert list(kept) == [0.82] * 4


def test_the_old_score_is_shown_until_the_new_one_is_there(session, champion, candidate):
    study = scored(session, champion)
    versions.promote(session, "new", "lena")
    image = instances(session, study)[0]
    assert analyses_shown(session, image) == champion.id
    rescoring.claim(session, Claimant("w:1", candidate.id, 1))
    assert analyses_shown(session, image) == champion.id


def analyses_shown(session, image):
    from worklist.triage.image_detail import analyses as counting

    return counting(session, [image.id])[image.id].classifier_version_id


def test_what_was_seen_in_shadow_is_not_analysed_again_at_the_promotion(session, champion, candidate):
    study = scored(session, champion)
    versions.watch(session, "new", "adam")
    work(session, candidate, logit=-3.0)
    versions.promote(session, "new", "lena")
    assert rescoring.idle_versions(session) == [candidate.id]
    assert work(session, candidate) == []
    session.refresh(study)
    assert study.study_probability == pytest.approx(0.0474, abs=1e-4)
    assert rescoring.idle_versions(session) == []


def test_a_roll_back_brings_the_former_scores_back(session, champion, candidate):
    study = scored(session, champion)
    versions.promote(session, "new", "lena")
    work(session, candidate)
    assert versions.roll_back(session, "lena").name == "old"
    assert work(session, champion) == []
    session.refresh(study)
    assert (study.study_probability, study.scored_by_id) == (0.82, champion.id)


def test_what_a_version_found_that_never_was_in_charge_is_never_shown(session, champion, candidate):
    study = scored(session, champion)
    versions.watch(session, "new", "adam")
    work(session, candidate)
    versions.retire(session, "new", "adam")
    champion.state = ClassifierState.RETIRED
    session.flush()
    assert analyses_shown(session, instances(session, study)[0]) == champion.id


def test_whole_studies_are_claimed_in_rank_order(session, champion, candidate):
    late = scored(session, champion, images=5, waiting_minutes=1)
    early = scored(session, champion, images=5, waiting_minutes=90)
    versions.promote(session, "new", "lena")
    claims = rescoring.claim(session, Claimant("w:1", candidate.id, 1))
    assert [claimed.instance_id for claimed in claims] == [image.id for image in instances(session, early)]
    claims = rescoring.claim(session, Claimant("w:2", candidate.id, 1))
    assert [claimed.instance_id for claimed in claims] == [image.id for image in instances(session, late)]


def test_an_image_whose_worker_died_is_claimed_alone(session, champion, candidate, frozen):
    scored(session, champion, images=3)
    versions.promote(session, "new", "lena")
    first = rescoring.claim(session, Claimant("w:1", candidate.id, 1))
    assert rescoring.idle_versions(session) == []
    frozen.time += timedelta(hours=1)
    assert rescoring.idle_versions(session) == [candidate.id]
    for attempt in (2, 3, 4):
        (claimed,) = rescoring.claim(session, Claimant("w:2", candidate.id, 1))
        assert (claimed.analysis_id, claimed.attempt) == (first[0].analysis_id, attempt)
        frozen.time += timedelta(hours=1)
    assert rescoring.hopeless([claimed]) == [claimed]


def test_what_a_retired_version_had_left_is_withdrawn(session, champion, candidate):
    scored(session, champion)
    versions.watch(session, "new", "adam")
    versions.retire(session, "new", "adam")
    running = select(Analysis).where(Analysis.state == AnalysisState.RUNNING)
    assert session.scalars(running).all() == []


def test_images_that_wait_for_their_first_analysis_are_not_offered_twice(session, champion, candidate):
    make_study(session)
    versions.promote(session, "new", "lena")
    assert rescoring.claim(session, Claimant("w:1", candidate.id, 1)) == []


def test_nothing_is_stale_without_a_champion(session, champion):
    study = scored(session, champion)
    champion.state = ClassifierState.RETIRED
    session.flush()
    assert rescoring.refresh_stale(session) == 0
    assert session.get_one(Study, study.id).study_probability == 0.82
