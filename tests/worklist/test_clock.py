"""The one clock."""

from datetime import UTC, timedelta

from worklist import clock


def test_the_time_is_aware_and_in_utc():
    assert clock.now().tzinfo is UTC


def test_time_does_not_go_backwards():
    first = clock.now()
    assert timedelta() <= clock.now() - first
