"""The questions of the gate: a better version passes, a worse one does not, and few studies tell nothing."""

import json
import re

import numpy as np
import pytest

from tests.worklist.evaluation.drawn import of_role, population
from worklist.dataset.snapshot import Role
from worklist.evaluation import comparison, report
from worklist.evaluation.comparison import GateTest, PairedCase, compare
from worklist.tables import BodyPart


def pairs(count=600, *, candidate=2.0, champion=2.0, seed=1, parts=(BodyPart.WRIST, BodyPart.HAND)):
    """Draw studies that two versions of a given skill judged."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        is_abnormal = bool(random.random() < 0.5)
        shared = random.normal()
        ours, theirs = (
            1 / (1 + np.exp(-(shared + random.normal() + (skill if is_abnormal else -skill) / 2)))
            for skill in (candidate, champion)
        )
        part = parts[number % len(parts)]
        found.append(PairedCase(part, is_abnormal, ours, bool(ours >= 0.5), theirs, bool(theirs >= 0.5)))
    return found


def answers(tests):
    return {test.key: test.passed for test in tests}


def by_key(tests, key):
    return next(test for test in tests if test.key == key)


def test_a_better_version_passes_everything():
    assert set(answers(compare(pairs(candidate=4.0))).values()) == {True}


def test_a_worse_version_is_found_out_by_each_question():
    tests = compare(pairs(candidate=0.5, champion=4.0))
    assert answers(tests) == {
        "enough_cases": True,
        "auc": False,
        "flags": False,
        "sensitivity": False,
        "body_parts": False,
    }


def test_an_equal_version_with_many_studies_passes_and_with_few_it_cannot_be_told():
    assert answers(compare(pairs(4000)))["auc"] is True
    tests = compare(pairs(40))
    assert answers(tests)["enough_cases"] is False
    assert answers(tests)["auc"] is False


def test_one_body_part_that_is_worse_is_named():
    tests = compare([*pairs(600), *pairs(200, candidate=0.0, champion=4.0, parts=(BodyPart.ELBOW,))])
    test = by_key(tests, "body_parts")
    assert test.passed is False
    assert test.figure.startswith("elbow: AUC 0.")
    assert "wrist" not in test.figure


def test_figures_are_sentences_with_numbers():
    tests = compare(pairs(candidate=3.0, seed=2))
    told = r"AUC 0\.\d{3} against 0\.\d{3}: [+−]0\.\d{3} \(95 % [+−]0\.\d{3} to [+−]0\.\d{3}\)"
    assert re.fullmatch(told, by_key(tests, "auc").figure)
    assert "abnormal and" in by_key(tests, "enough_cases").figure
    assert "p = " in by_key(tests, "flags").figure


@pytest.mark.parametrize("count", [0, 1, 3])
def test_next_to_nothing_gives_answers_and_no_crash(count):
    found = answers(compare(pairs(count)))
    assert found["enough_cases"] is False
    assert found["body_parts"] is None


def test_one_label_gives_no_area():
    abnormal = [pair for pair in pairs(200) if pair.is_abnormal]
    assert by_key(compare(abnormal), "auc").passed is None
    assert "an AUC takes two of each" in by_key(compare(abnormal), "auc").figure


def test_a_test_comes_back_from_json():
    test = compare(pairs())[0]
    assert GateTest(**json.loads(json.dumps(test.as_json()))) == test


def test_pairs_use_the_card_of_each_version():
    images, logits = population(300)
    turned = {name: 3 - value for name, value in logits.items()}
    card = report.measure(images, logits)
    test = of_role(images, Role.TEST)
    found = comparison.held_out(test, logits, card, turned, {})
    assert len(found) == len({image.study for image in test})
    # A version without operating points flags nothing, and one without calibration is taken as it is.
    assert not any(pair.champion_is_flagged for pair in found)
    assert {pair.candidate_is_flagged for pair in found} == {True, False}


def test_only_studies_that_both_have_judged_are_compared():
    images, logits = population(100)
    test = of_role(images, Role.TEST)
    half = {name: logits[name] for name in list(logits)[:50]}
    card = report.measure(images, logits)
    found = comparison.held_out(test, logits, card, half, card)
    assert 0 < len(found) < len({image.study for image in test})


@pytest.mark.parametrize(("skill", "passed"), [(2.0, True), (0.0, False)])
def test_the_first_version_is_asked_whether_it_tells_anything(skill, passed):
    images, logits = population(400, skill=skill or 0.001, seed=11)
    tests = comparison.candidate_alone(of_role(images, Role.TEST), logits, {})
    assert answers(tests) == {"enough_cases": True, "auc": passed}
