"""Studies as the list ranks them: calibrated images, their mean, body parts apart."""

from dataclasses import replace

import pytest

from tests.worklist.evaluation.drawn import population
from worklist.evaluation.cases import Line, image_cases, study_cases
from worklist.tables import BodyPart
from worklist.triage.probability import calibrated


def test_a_study_has_the_mean_of_its_calibrated_images():
    images, _ = population(1, views=3)
    logits = dict(zip((image.name for image in images), (-1.0, 0.5, 2.0), strict=True))
    (case,) = study_cases(images, logits, {BodyPart.WRIST: Line(2.0, 0.5)})
    expected = sum(calibrated(logit, slope=2.0, intercept=0.5) for logit in logits.values()) / 3
    assert case.probability == pytest.approx(expected)
    assert (case.patient, case.body_part) == ("study-patient-0", BodyPart.WRIST)


def test_two_body_parts_of_a_study_are_two_cases():
    images, logits = population(1, views=2)
    images[1] = replace(images[1], body_part=BodyPart.HAND)
    assert {case.body_part for case in study_cases(images, logits, {})} == {BodyPart.WRIST, BodyPart.HAND}


def test_images_without_a_logit_are_left_out():
    images, logits = population(2, views=2)
    del logits[images[0].name]
    assert len(image_cases(images, logits, {})) == 3
    assert len(study_cases(images, logits, {})) == 2


def test_a_body_part_without_a_line_stays_as_it_is():
    images, _ = population(1, views=1)
    (case,) = image_cases(images, {images[0].name: 0.0}, {BodyPart.HAND: Line(1.0, 3.0)})
    assert case.probability == 0.5
