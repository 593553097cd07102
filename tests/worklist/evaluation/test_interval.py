"""Shares with Wilson's interval."""

import pytest

from worklist.evaluation.interval import Interval, share


def test_wilson_as_newcombe_publishes_it():
    # Newcombe, Statistics in Medicine 1998, table I: 81 of 263 and 15 of 148, method 3.
    assert share(81, 263) == Interval(
        81 / 263, pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5)
    )
    assert share(15, 148) == Interval(
        15 / 148, pytest.approx(0.0624, abs=5e-5), pytest.approx(0.1605, abs=5e-5)
    )


def test_of_nothing_there_is_no_share():
    assert share(0, 0) is None


def test_it_is_told_with_its_ends():
    assert str(Interval(0.5, 0.4, 0.6123)) == "0.500 (95 % 0.400 to 0.612)"
    assert Interval(0.5, 0.4, 0.61234).as_json() == {"value": 0.5, "low": 0.4, "high": 0.6123}
