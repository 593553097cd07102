"""A figure and its 95 % interval."""

from dataclasses import asdict, dataclass

from scipy.stats import binomtest

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the lower and upper end of its 95 % interval."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """Return it as a card holds it."""
        return {name: round(number, 4) for name, number in asdict(self).items()}

    def __str__(self) -> str:
        return f"{self.value:.3f} (95 % {self.low:.3f} to {self.high:.3f})"


def share(hits: int, count: int) -> Interval | None:
    """Return a share with Wilson's interval; None of nothing.

    References
    ----------
    Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927.
    """
    if not count:
        return None
    ends = binomtest(hits, count).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(hits / count, float(ends.low), float(ends.high))
