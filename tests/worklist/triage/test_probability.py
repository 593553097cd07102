"""From logits to a study probability and what the operating points say of it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.tables import Attention
from worklist.triage.probability import attention, calibrated, study_probability

BOTH = {Attention.FLAGGED: 0.6, Attention.LOOK_CLOSER: 0.3}


@given(st.floats(-1e6, 1e6), st.floats(0.01, 100), st.floats(-100, 100))
def test_a_calibrated_probability_is_always_one(logit, slope, intercept):
    assert 0 <= calibrated(logit, slope=slope, intercept=intercept) <= 1


@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(0.01, 10), st.floats(-10, 10))
def test_calibration_never_changes_an_order(one, other, slope, intercept):
    low, high = sorted([one, other])
    lower = calibrated(low, slope=slope, intercept=intercept)
    assert lower <= calibrated(high, slope=slope, intercept=intercept)


def test_calibration_is_the_sigmoid_of_slope_times_logit_plus_intercept():
    assert calibrated(0.0) == 0.5
    assert calibrated(2.0, slope=0.5, intercept=-1.0) == 0.5
    assert math.isclose(calibrated(1.0, slope=2.0, intercept=1.0), 1 / (1 + math.exp(-3)))


def test_a_study_is_the_mean_of_its_images():
    assert math.isclose(study_probability([0.2, 0.4, 0.9]), 0.5)


def test_a_study_without_images_has_no_probability():
    assert study_probability([]) is None


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (0.61, Attention.FLAGGED),
        (0.6, Attention.FLAGGED),
        (0.5999, Attention.LOOK_CLOSER),
        (0.3, Attention.LOOK_CLOSER),
        (0.2, Attention.NONE),
        (None, Attention.NONE),
    ],
)
def test_the_strongest_operating_point_that_is_reached_counts(probability, expected):
    assert attention(probability, BOTH) is expected


def test_without_operating_points_nothing_is_flagged():
    assert attention(0.99, {}) is Attention.NONE
