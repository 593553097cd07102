"""The only clock: aware UTC times, replaced as a whole in tests."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, aware and in UTC."""
    return datetime.now(UTC)


def milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since 1970 of an aware time: what rank keys are made of."""
    return round(moment.timestamp() * 1000)


def from_milliseconds(value: int) -> datetime:
    """Return the aware UTC time of milliseconds since 1970."""
    return datetime.fromtimestamp(value / 1000, UTC)
