"""Flags against labels, against scikit-learn and published examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from worklist.evaluation import agreement

flagged = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60)


def arrays(pairs):
    return np.array([label for label, _ in pairs], bool), np.array([flag for _, flag in pairs], bool)


@given(flagged)
def test_kappa_is_that_of_scikit_learn(pairs):
    labels, flags = arrays(pairs)
    found = agreement.kappa(labels, flags, [str(number) for number in range(len(pairs))])
    if len(set(labels.tolist())) < 2:
        assert found is None
    else:
        assert found.value == pytest.approx(cohen_kappa_score(labels, flags), abs=1e-9)


def test_kappa_of_cohens_kind_of_table():
    """Fleiss' psychiatric example of two by two: 45, 25, 15, 15 of 100 have kappa 0.1304."""
    labels = np.repeat([True, True, False, False], [45, 25, 15, 15])
    flags = np.repeat([True, False, True, False], [45, 25, 15, 15])
    assert agreement.kappa(labels, flags, list(map(str, range(100)))).value == pytest.approx(0.1304, abs=1e-4)


def test_cases_of_one_patient_widen_the_interval():
    random = np.random.default_rng(1)
    labels = np.repeat(random.random(40) < 0.5, 10)
    flags = np.repeat(random.random(40) < 0.8, 10) == labels
    alone = agreement.kappa(labels, flags, [str(number) for number in range(400)])
    together = agreement.kappa(labels, flags, [str(number // 10) for number in range(400)])
    assert together.value == alone.value
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_the_interval_is_the_same_each_time():
    labels, flags = np.arange(30) % 2 == 0, np.arange(30) % 3 == 0
    patients = list(map(str, range(30)))
    assert agreement.kappa(labels, flags, patients) == agreement.kappa(labels, flags, patients)


def test_mcnemar_as_agresti_publishes_it():
    """Agresti, Categorical Data Analysis, table 10.1: 86 against 150 changed their mind, p below 0.001."""
    assert agreement.mcnemar(86, 150) < 0.001
    assert agreement.mcnemar(5, 5) == 1
    assert agreement.mcnemar(0, 0) == 1
    # Ten discordant pairs, one against: 2 * (1 + 10) / 2**10.
    assert agreement.mcnemar(1, 9) == pytest.approx(22 / 1024)


def test_shares_count_the_right_cases():
    labels = np.array([True, True, True, False, False])
    flags = np.array([True, True, False, True, False])
    assert agreement.sensitivity(labels, flags).value == pytest.approx(2 / 3)
    assert agreement.specificity(labels, flags).value == 0.5
    assert agreement.accuracy(labels, flags).value == pytest.approx(3 / 5)
    assert agreement.sensitivity(~np.ones(2, bool), np.ones(2, bool)) is None
    assert agreement.specificity(np.ones(2, bool), np.ones(2, bool)) is None
