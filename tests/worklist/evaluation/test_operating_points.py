"""Thresholds: chosen by the stated rules on some studies, measured on others."""

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm

from worklist.evaluation import operating_points
from worklist.evaluation.cases import Case
from worklist.tables import Attention, BodyPart


def cases(count, part, shift=0.0, seed=1):
    random = np.random.default_rng(seed)
    return [
        Case(
            f"{part}{number}",
            part,
            str(number),
            number % 2 == 0,
            float(np.clip(random.normal(0.65 if number % 2 == 0 else 0.35, 0.12) + shift, 0, 1)),
        )
        for number in range(count)
    ]


def test_flagged_parts_the_labels_and_look_closer_misses_one_in_twenty_at_most():
    tune = cases(400, BodyPart.HAND)
    chosen = operating_points.choose(tune)[BodyPart.HAND]
    assert chosen[Attention.FLAGGED] == pytest.approx(0.5, abs=0.06)
    abnormal = [case.probability for case in tune if case.is_abnormal]
    assert np.mean(np.array(abnormal) >= chosen[Attention.LOOK_CLOSER]) >= 0.95
    assert np.mean(np.array(abnormal) >= chosen[Attention.LOOK_CLOSER] + 0.02) < 0.95


def test_the_threshold_of_few_studies_loses_less_than_the_largest_sum_as_it_stands():
    random = np.random.default_rng(5)
    places = np.linspace(-6, 6, 121)
    lost, lost_without = [], []
    for _ in range(60):
        # Two normal distributions on the logit; what a threshold is worth is known.
        labels = np.arange(50) % 2 == 0
        values = 2 * (random.normal(size=50) + np.where(labels, 1, -1))
        tune = [
            Case(str(number), BodyPart.HAND, "p", bool(label), float(expit(value)))
            for number, (label, value) in enumerate(zip(labels, values, strict=True))
        ]
        found = logit(operating_points.choose(tune)[BodyPart.HAND][Attention.FLAGGED])
        sums = [(values[labels] >= at).mean() - (values[~labels] >= at).mean() for at in np.sort(values)]
        lost.append(_worth(places).max() - _worth(found))
        lost_without.append(_worth(places).max() - _worth(np.sort(values)[int(np.argmax(sums))]))
    assert np.mean(lost) < 0.6 * np.mean(lost_without)


def test_a_new_version_flags_the_share_of_abnormal_studies_that_the_one_in_charge_flags():
    tune = cases(400, BodyPart.HAND)
    abnormal = [case for case in tune if case.is_abnormal]
    usual = operating_points.choose(tune)[BodyPart.HAND][Attention.FLAGGED]
    for count in (0, 120, 196):
        so_far = {case.key for case in abnormal[:count]} | {case.key for case in tune if not case.is_abnormal}
        kept = operating_points.choose(tune, so_far)[BodyPart.HAND][Attention.FLAGGED]
        share = np.mean([case.probability >= kept for case in abnormal])
        assert share >= count / 200 - 0.01
        # Only as low as it takes.
        assert kept == usual if count <= 120 else usual - 0.2 < kept < usual
    everything = operating_points.choose(tune, {case.key for case in tune})[BodyPart.HAND]
    assert min(case.probability for case in abnormal) - 0.1 < everything[Attention.FLAGGED] < usual


def _worth(place):
    """Return sensitivity and specificity less one, of the distributions themselves."""
    return norm.sf(place, 2, 2) - norm.sf(place, -2, 2)


def test_a_body_part_has_its_own_thresholds_where_it_has_the_studies():
    tune = [*cases(400, BodyPart.HAND), *cases(200, BodyPart.WRIST, 0.2), *cases(20, BodyPart.ELBOW, 0.2)]
    chosen = operating_points.choose(tune)
    assert chosen[BodyPart.WRIST][Attention.FLAGGED] > chosen[BodyPart.HAND][Attention.FLAGGED] + 0.1
    assert chosen[BodyPart.ELBOW] == chosen[BodyPart.SHOULDER]


@pytest.mark.parametrize("values", [([0.2], [0.9]), ([0.5, 0.5], [0.5, 0.5]), ([0.9], [0.1]), ([1.0], [1.0])])
def test_thresholds_are_probabilities_and_in_their_order_whatever_comes(values):
    tune = [
        Case(f"{label}{number}", BodyPart.HAND, "p", bool(label), value)
        for label, of_label in enumerate(values)
        for number, value in enumerate(of_label)
    ]
    chosen = operating_points.choose(tune)[BodyPart.HAND]
    assert 0 <= chosen[Attention.LOOK_CLOSER] <= chosen[Attention.FLAGGED] <= 1


def test_figures_are_those_of_the_other_studies():
    chosen = {BodyPart.HAND: {Attention.FLAGGED: 0.5}}
    test = [
        Case("a", BodyPart.HAND, "p", True, 0.5),
        Case("b", BodyPart.HAND, "p", True, 0.4),
        Case("c", BodyPart.HAND, "p", False, 0.6),
    ]
    point = operating_points.measure(test, chosen)["HAND"]["flagged"]
    assert (point["threshold"], point["sensitivity"], point["specificity"]) == (0.5, 0.5, 0.0)
    assert point["sensitivity_low"] < 0.5 < point["sensitivity_high"]


def test_without_abnormal_studies_there_is_no_sensitivity():
    point = operating_points.measure([], {BodyPart.HAND: {Attention.FLAGGED: 0.5}})["HAND"]["flagged"]
    assert (point["sensitivity"], point["sensitivity_low"], point["specificity"]) == (None, None, None)
