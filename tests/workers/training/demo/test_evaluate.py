"""Figures: AUC, calibration, thresholds, hits, against values that can be seen by eye."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.training.demo.evaluate import (
    Calibration,
    auc,
    best_threshold,
    fit_calibration,
    hits,
    operating_point,
    sensitive_threshold,
    wilson,
)

LABELS = np.array([0, 0, 0, 1, 1, 1], float)


def test_auc_of_separated_mixed_and_tied_logits():
    assert auc(LABELS, np.array([1, 2, 3, 4, 5, 6.0])) == 1
    assert auc(LABELS, np.array([6, 5, 4, 3, 2, 1.0])) == 0
    assert auc(LABELS, np.zeros(6)) == 0.5
    assert auc(LABELS, np.array([1, 2, 4, 3, 5, 6.0])) == pytest.approx(8 / 9)


def test_auc_needs_both_kinds():
    with pytest.raises(ValueError, match="abnormal and normal"):
        auc(np.ones(3), np.zeros(3))


def test_calibration_finds_the_scale_the_data_were_made_with():
    random = np.random.default_rng(2)
    logits = random.normal(0, 3, 6000)
    labels = (random.random(6000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(float)
    found = fit_calibration(labels, logits)
    assert found.slope == pytest.approx(0.5, abs=0.05)
    assert found.intercept == pytest.approx(-1, abs=0.1)


def test_calibration_of_separated_images_stays_finite():
    found = fit_calibration(LABELS, np.array([-9, -8, -7, 7, 8, 9.0]))
    assert 0 < found.slope < 5
    chances = found.probability(np.array([-9.0, 9.0]))
    assert 0 < chances[0] < 0.2
    assert 0.8 < chances[1] < 1


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=30), st.floats(0.01, 5), st.floats(-5, 5))
def test_calibration_keeps_the_order(logits, slope, intercept):
    chances = Calibration(slope, intercept).probability(np.sort(np.array(logits)))
    assert np.all(np.diff(chances) >= 0)


def test_operating_point_counts_what_is_flagged():
    point = operating_point(LABELS, np.array([0.1, 0.2, 0.6, 0.4, 0.8, 0.9]), 0.5)
    assert point.sensitivity == pytest.approx(2 / 3)
    assert point.specificity == pytest.approx(2 / 3)
    assert point.sensitivity_low < 2 / 3 < point.sensitivity_high


def test_thresholds_lie_where_they_should():
    chances = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    assert 0.3 < best_threshold(LABELS, chances) < 0.7
    assert sensitive_threshold(LABELS, chances, 1.0) == 0.7


def test_wilson_interval_of_a_known_case():
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson(0, 0) == (0, 1)


def test_heat_map_hits_the_box_its_maximum_lies_in():
    heat = np.zeros((7, 7), np.float32)
    heat[1, 5] = 1
    crop = (100, 200, 70, 140)
    assert hits(heat, crop, (105, 295, 20, 30))
    assert not hits(heat, crop, (150, 200, 20, 30))
    assert not hits(None, crop, (105, 295, 20, 30))
