"""The figures of a card: on the studies that test, by body part, without a number that JSON cannot hold."""

import json

import pytest

from tests.worklist.evaluation.drawn import of_role, population
from worklist.classifiers import cards
from worklist.dataset.snapshot import Role
from worklist.evaluation import report
from worklist.tables import BodyPart


@pytest.fixture(scope="module")
def drawn():
    return population(900, slope=0.6, intercept=0.8)


@pytest.fixture(scope="module")
def card(drawn):
    return report.measure(*drawn)


def test_figures_are_those_of_the_studies_to_test_with(drawn, card):
    images, _ = drawn
    studies = {image.study: image for image in of_role(images, Role.TEST)}
    everything = card["evaluation"]["studies"]["ALL"]
    assert everything["n"] == len(studies)
    assert everything["abnormal"] == sum(image.is_abnormal for image in studies.values())
    assert card["evaluation"]["images"]["ALL"]["n"] == 2 * len(studies)
    parts = [one["n"] for part, one in card["evaluation"]["studies"].items() if part != "ALL"]
    assert sum(parts) == len(studies)
    assert len(parts) == 3


def test_a_study_says_more_than_an_image(card):
    auc = {unit: card["evaluation"][unit]["ALL"]["auc"] for unit in ("studies", "images")}
    # Two views that err independently, distance 2 deviations: 0.921 for one and 0.977 for both.
    assert auc["images"]["value"] == pytest.approx(0.921, abs=0.02)
    assert auc["studies"]["value"] == pytest.approx(0.977, abs=0.015)
    assert auc["studies"]["low"] < auc["studies"]["value"] < auc["studies"]["high"]


def test_calibration_is_better_after_than_before(card):
    found = card["evaluation"]["studies"]["ALL"]["calibration"]
    assert found["after"]["brier"] < found["before"]["brier"]


def test_the_registry_takes_it(card):
    assert {one.body_part for one in cards.calibrations(card)} == set(BodyPart)
    assert len(cards.operating_points(card)) == 2 * len(BodyPart)


def test_it_is_json_even_of_few_studies_of_one_label():
    images, logits = population(200)
    few = [*of_role(images, Role.TUNE), *[i for i in of_role(images, Role.TEST) if i.is_abnormal][:2]]
    card = json.loads(json.dumps(report.measure(few, logits), allow_nan=False))
    everything = card["evaluation"]["studies"]["ALL"]
    assert (everything["auc"], everything["specificity"], everything["kappa"]) == (None, None, None)
    assert everything["sensitivity"]["value"] is not None


def test_without_any_study_to_test_with_there_are_no_figures():
    images, logits = population(100)
    card = json.loads(json.dumps(report.measure(of_role(images, Role.TUNE), logits), allow_nan=False))
    assert card["evaluation"]["studies"]["ALL"]["n"] == 0
    assert card["calibration"]


def test_what_a_version_flags_is_better_than_chance(card):
    everything = card["evaluation"]["studies"]["ALL"]
    assert everything["kappa"]["low"] > 0.65
    assert everything["accuracy"]["value"] == pytest.approx(
        (
            everything["sensitivity"]["value"] * everything["abnormal"]
            + everything["specificity"]["value"] * (everything["n"] - everything["abnormal"])
        )
        / everything["n"],
        abs=1e-3,
    )
