"""What the study page is told: every image with its result or the reason for none."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.factories import make_analysis, make_classifier, make_instance, make_study
from worklist.errors import NotFound
from worklist.tables import (
    AnalysisState,
    Attention,
    BodyPart,
    ClassifierState,
    ClinicalPriority,
    Instance,
    Result,
    Series,
    Study,
)
from worklist.triage.image_detail import Crop, heat_map
from worklist.triage.study_detail import image_ids, study_detail

REPORT = "1.2.840.10008.5.1.4.1.1.88.33"


def series_of(session: Session, study: Study) -> Series:
    return session.scalars(select(Series).where(Series.study_id == study.id)).one()


@pytest.fixture
def study(session: Session) -> Study:
    return make_study(session, images=0, probability=0.8)


def add_image(session: Session, study: Study, **values: object) -> Instance:
    return make_instance(session, series_of(session, study), **{"needs_analysis": False, **values})


def test_an_analysed_image_has_probability_crop_and_heat_map(session: Session, study: Study) -> None:
    make_analysis(session, add_image(session, study), make_classifier(session), crop_reason="no edges found")
    (view,) = study_detail(session, study.id).views
    assert (view.label, view.probability, view.has_heat_map) == ("PA · R", 0.82, True)
    assert (view.crop, view.crop_reason) == (Crop(0, 0, 2500, 2000), "no edges found")
    assert view.why_none == ""


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"needs_analysis": True}, "Waits for its analysis."),
        ({"no_analysis_reason": "It is a scout view."}, "It is a scout view."),
        ({}, "It was not analysed."),
    ],
)
def test_an_image_without_analysis_says_why(
    session: Session, study: Study, values: dict[str, object], reason: str
) -> None:
    add_image(session, study, **values)
    (view,) = study_detail(session, study.id).views
    assert (view.probability, view.why_none) == (None, reason)


@pytest.mark.parametrize(
    ("state", "given", "told"),
    [
        (AnalysisState.RUNNING, "", "Being analysed now."),
        (AnalysisState.FAILED, "Cannot be analysed: no pixels.", "Cannot be analysed: no pixels."),
    ],
)
def test_an_analysis_without_probability_says_why(
    session: Session, study: Study, state: AnalysisState, given: str, told: str
) -> None:
    image, version = add_image(session, study), make_classifier(session)
    make_analysis(session, image, version, state=state, probability=None, reason=given, heat_map=None)
    assert study_detail(session, study.id).views[0].why_none == told
    assert heat_map(session, image.id).reason == told


def test_the_classifier_in_charge_counts_and_not_the_one_that_watches(session: Session, study: Study) -> None:
    image = add_image(session, study)
    champion = make_classifier(session)
    make_analysis(session, image, champion, probability=0.7)
    retired = make_classifier(session, state=ClassifierState.RETIRED)
    make_analysis(session, image, retired, probability=0.3)
    shadow = make_classifier(session, state=ClassifierState.SHADOW)
    make_analysis(session, image, shadow, probability=0.1)
    assert study_detail(session, study.id).views[0].probability == 0.7


def test_replaced_images_are_not_shown(session: Session, study: Study) -> None:
    add_image(session, study, is_current=False)
    shown = add_image(session, study)
    assert image_ids(session, study.id) == [shown.id]


def test_images_stand_in_the_order_of_the_modality(session: Session, study: Study) -> None:
    second = add_image(session, study, instance_number=2)
    first = add_image(session, study, instance_number=1)
    assert [view.instance_id for view in study_detail(session, study.id).views] == [first.id, second.id]


def test_an_image_without_view_position_is_numbered(session: Session, study: Study) -> None:
    add_image(session, study)
    add_image(session, study, view_position="", laterality="")
    assert [view.label for view in study_detail(session, study.id).views] == ["PA · R", "Image 2"]


def test_objects_without_an_image_are_named_with_their_reason(session: Session, study: Study) -> None:
    add_image(session, study, rows=None, sop_class_uid=REPORT, no_analysis_reason="It is a report.")
    detail = study_detail(session, study.id)
    assert detail.views == ()
    (other,) = detail.others
    assert (other.kind, other.reason) == ("Comprehensive SR Storage", "It is a report.")


def test_thresholds_are_those_of_the_body_part_the_strongest_first(session: Session, study: Study) -> None:
    make_classifier(session, threshold=0.6)
    detail = study_detail(session, study.id)
    assert [(point.attention, point.value) for point in detail.thresholds] == [
        (Attention.FLAGGED, 0.6),
        (Attention.LOOK_CLOSER, 0.3),
    ]
    study.body_part = None
    session.flush()
    assert study_detail(session, study.id).thresholds == ()


def test_the_rank_has_its_reason_and_its_bound(session: Session) -> None:
    study = make_study(session, probability=0.5, clinical_priority=ClinicalPriority.STAT)
    detail = study_detail(session, study.id)
    assert detail.rank_reason == "Probability 50% is worth +0 min; STAT +120 min"
    lead = detail.cannot_be_passed_after - (study.received_at - timedelta(hours=2))
    assert lead / timedelta(minutes=1) == pytest.approx(77.8, abs=0.1)


def test_a_study_without_a_score_keeps_its_reason(session: Session) -> None:
    study = make_study(session, result=Result.FAILED, result_reason="No pixels.", body_part=BodyPart.ELBOW)
    detail = study_detail(session, study.id)
    assert (detail.study_probability, detail.result_reason) == (None, "No pixels.")


def test_there_is_no_detail_of_a_study_that_does_not_exist(session: Session) -> None:
    with pytest.raises(NotFound):
        study_detail(session, 4711)


def test_a_heat_map_is_read_as_it_was_stored(session: Session, study: Study) -> None:
    image = add_image(session, study)
    make_analysis(session, image, make_classifier(session))
    found = heat_map(session, image.id)
    assert found.values is not None
    assert (found.rows, found.columns, found.reason) == (7, 7, None)
    assert [index for index, value in enumerate(found.values) if value] == [3 * 7 + 4]


def test_no_evidence_is_said_and_never_drawn(session: Session, study: Study) -> None:
    image = add_image(session, study)
    make_analysis(
        session, image, make_classifier(session), heat_map=None, heat_map_rows=None, heat_map_columns=None
    )
    found = heat_map(session, image.id)
    assert (found.values, found.reason) == (None, "No evidence for abnormal in this image.")
    assert not study_detail(session, study.id).views[0].has_heat_map
