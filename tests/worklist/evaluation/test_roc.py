"""AUC and DeLong's intervals, against scikit-learn, a brute count and a published example."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from worklist.evaluation import roc

scored = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=4, max_size=60)


def arrays(pairs):
    return np.array([label for label, _ in pairs], bool), np.array([value / 8 for _, value in pairs])


@given(scored)
def test_area_is_that_of_scikit_learn_ties_included(pairs):
    labels, values = arrays(pairs)
    found = roc.auc(labels, values)
    if min(labels.sum(), (~labels).sum()) < 2:
        assert found is None
    else:
        assert found.value == pytest.approx(roc_auc_score(labels, values))
        assert 0 <= found.low <= found.value <= found.high <= 1


@given(scored)
def test_variance_is_delongs_by_its_definition(pairs):
    labels, values = arrays(pairs)
    if min(labels.sum(), (~labels).sum()) < 2:
        return
    abnormal, normal = values[labels], values[~labels]
    wins = (abnormal[:, None] > normal) + 0.5 * (abnormal[:, None] == normal)
    variance = wins.mean(1).var(ddof=1) / len(abnormal) + wins.mean(0).var(ddof=1) / len(normal)
    _, covariance = roc._areas(labels, values[None])
    assert covariance[0, 0] == pytest.approx(variance, abs=1e-12)


def test_hanley_and_mcneils_computed_tomograms():
    """Ratings of 109 images: the area is 0.893 (Hanley and McNeil, Radiology 1982, table I)."""
    normal = np.repeat([1, 2, 3, 4, 5], [33, 6, 6, 11, 2])
    abnormal = np.repeat([1, 2, 3, 4, 5], [3, 2, 2, 11, 33])
    labels = np.repeat([False, True], [58, 51])
    found = roc.auc(labels, np.concatenate([normal, abnormal]) / 5)
    assert found.value == pytest.approx(0.893, abs=5e-4)
    # The paper's own error, 0.032, is that of DeLong to two digits.
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(0.032, abs=2e-3)


def test_the_difference_of_a_version_with_itself_is_nothing():
    labels = np.arange(40) % 2 == 0
    values = np.random.default_rng(1).random(40)
    found = roc.difference(labels, values, values)
    assert (found.by.value, found.by.low, found.by.high) == (0, 0, 0)


def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says():
    random = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        labels = random.random(120) < 0.5
        shared = random.normal(size=120) + 1.2 * labels
        one, other = (shared + random.normal(size=120) for _ in range(2))
        by = roc.difference(labels, one, other).by
        held += by.low <= 0 <= by.high
    assert 0.92 <= held / 400 <= 0.98


def test_a_curve_goes_from_corner_to_corner_and_has_few_points():
    labels = np.arange(1000) % 3 == 0
    points = roc.curve(labels, np.random.default_rng(3).random(1000) + labels)
    assert points[0] == [0, 0]
    assert points[-1] == [1, 1]
    assert len(points) <= roc.MOST_POINTS
    assert points == sorted(points)


def test_one_label_has_no_area_and_no_curve():
    labels, values = np.ones(5, bool), np.arange(5.0)
    assert roc.auc(labels, values) is None
    assert roc.difference(labels, values, values) is None
    assert roc.curve(labels, values) == []
