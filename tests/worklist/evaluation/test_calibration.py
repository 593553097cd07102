"""Calibration: found again where it is known, kept from extremes, shared where studies are few."""

import numpy as np
import pytest

from tests.worklist.evaluation.drawn import of_role, population
from worklist.dataset.snapshot import Role
from worklist.evaluation import calibration
from worklist.evaluation.cases import Case, Line, study_cases
from worklist.tables import BodyPart


def cases_of(probabilities, labels):
    pairs = zip(probabilities, labels, strict=True)
    return [Case(str(n), BodyPart.HAND, str(n), bool(y), float(p)) for n, (p, y) in enumerate(pairs)]


def test_a_known_line_is_found():
    images, logits = population(6000, slope=0.5, intercept=-1.0, views=1)
    lines = calibration.fit(of_role(images, Role.TUNE), logits)
    assert lines[BodyPart.WRIST].slope == pytest.approx(0.5, abs=0.06)
    assert lines[BodyPart.WRIST].intercept == pytest.approx(-1.0, abs=0.2)


def test_other_studies_are_better_calibrated_than_before():
    images, logits = population(1500, slope=0.4, intercept=1.5)
    lines = calibration.fit(of_role(images, Role.TUNE), logits)
    test = of_role(images, Role.TEST)
    before, after = (calibration.figures(study_cases(test, logits, chosen)) for chosen in ({}, lines))
    assert after["brier"] < before["brier"] - 0.05
    assert after["ece"] < before["ece"] / 2
    assert after["slope"] == pytest.approx(1.0, abs=0.25)


def test_few_studies_have_the_line_of_all_and_some_have_one_between():
    many, logits = population(2000, parts=(BodyPart.WRIST,))
    some, some_logits = population(90, parts=(BodyPart.HAND,), intercept=2.0, seed=5, name="hand")
    few, few_logits = population(20, parts=(BodyPart.ELBOW,), intercept=2.0, seed=6, name="elbow")
    tune = of_role([*many, *some, *few], Role.TUNE)
    lines = calibration.fit(tune, logits | some_logits | few_logits)
    assert lines[BodyPart.ELBOW] == lines[BodyPart.FOREARM]
    assert lines[BodyPart.FOREARM].intercept < lines[BodyPart.HAND].intercept < 2.0


def test_studies_that_are_parted_without_error_have_a_finite_slope():
    images, _ = population(80, views=1)
    logits = {image.name: 5.0 if image.is_abnormal else -5.0 for image in images}
    line = calibration.fit(of_role(images, Role.TUNE), logits)[BodyPart.WRIST]
    assert 0 < line.slope < 50


def test_a_useless_version_never_gets_a_slope_that_turns_it_round():
    images, logits = population(400)
    against = {image.name: -logits[image.name] for image in images}
    lines = calibration.fit(of_role(images, Role.TUNE), against)
    assert all(line.slope > 0 for line in lines.values())


def test_probabilities_that_are_true_have_slope_one_and_no_error():
    random = np.random.default_rng(1)
    probabilities = random.uniform(0.02, 0.98, 20_000)
    found = calibration.figures(cases_of(probabilities, random.random(20_000) < probabilities))
    assert found["slope"] == pytest.approx(1, abs=0.05)
    assert found["intercept"] == pytest.approx(0, abs=0.05)
    assert found["ece"] < 0.02


def test_error_and_brier_by_hand():
    found = calibration.figures(cases_of([0.1, 0.1, 0.9, 0.9], [0, 1, 1, 1]))
    # Bins: 0.1 against 1 of 2, 0.9 against 2 of 2.
    assert found["ece"] == pytest.approx((0.4 + 0.1) / 2)
    assert found["brier"] == pytest.approx((0.01 + 0.81 + 0.01 + 0.01) / 4)
    assert [(one["count"], one["share"]["value"]) for one in found["bins"]] == [(2, 0.5), (2, 1.0)]


def test_one_label_has_no_slope_and_nothing_has_no_figures():
    assert calibration.figures(cases_of([0.2, 0.3], [1, 1]))["slope"] is None
    assert calibration.figures([]) == {"slope": None, "intercept": None, "ece": None, "brier": None, "bins": []}


def test_lines_are_the_same_each_time():
    images, logits = population(200)
    assert calibration.fit(images, logits) == calibration.fit(list(reversed(images)), logits)
    assert isinstance(calibration.fit(images, logits)[BodyPart.HAND], Line)
