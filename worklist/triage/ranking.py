"""The rank key, its bound, and its reason in words. Pure: no database, no clock.

``rank_key = arrival - tau * logit(p) - bonus(clinical priority)``, in whole milliseconds; the smallest is read
first. All waiting studies age alike, so the order never changes with the clock and the key can be stored.
Study A is overtaken only by studies that arrive less than ``tau * (logit p_B - logit p_A)`` after it (plus the
difference of their bonuses): with p clipped to [0.02, 0.98] nothing starves.

The idea is the linear accumulating priority of Kleinrock (1964); see ``docs/decisions/0003``.
"""

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

LOWEST_PROBABILITY = 0.02
HIGHEST_PROBABILITY = 0.98


@dataclass(frozen=True)
class Policy:
    """What waiting is worth.

    Attributes
    ----------
    tau : timedelta
        Waiting time worth one unit of logit; zero is first in, first out.
    stat_bonus, high_bonus : timedelta
        Waiting time that the clinical priority is worth.
    stat_due, high_due, routine_due : timedelta
        Time from arrival in which a study of that priority should be read.
    control_rule, control_share, control_seed
        What is put into the control arm together, how much of it (0 to 1), and what chance is drawn from.
    """

    tau: timedelta = timedelta(minutes=20)
    stat_bonus: timedelta = timedelta(hours=2)
    high_bonus: timedelta = timedelta(minutes=30)
    stat_due: timedelta = timedelta(hours=1)
    high_due: timedelta = timedelta(hours=4)
    routine_due: timedelta = timedelta(hours=24)
    control_rule: str = "none"
    control_share: float = 0.0
    control_seed: str = field(default="", repr=False, compare=False)

    def bonus(self, clinical_priority: str) -> timedelta:
        """Return the waiting time that a clinical priority is worth."""
        return {"STAT": self.stat_bonus, "HIGH": self.high_bonus}.get(clinical_priority, timedelta())

    @property
    def has_control_arm(self) -> bool:
        """Is there a trial, so that nobody may see who belongs to which arm?"""
        return self.control_rule != "none" and self.control_share > 0

    def of_arm(self, *, is_control: bool) -> "Policy":
        """Return what counts in an arm: in the control arm the probability is worth nothing."""
        return replace(self, tau=timedelta()) if is_control else self

    def allowed(self, clinical_priority: str) -> timedelta:
        """Return the time from arrival in which a study of a clinical priority should be read."""
        return {"STAT": self.stat_due, "HIGH": self.high_due}.get(clinical_priority, self.routine_due)


def clipped_logit(probability: float | None) -> float:
    """Return ln(p / (1 - p)) with p clipped to [0.02, 0.98]; 0 for a study without a probability."""
    if probability is None:
        return 0.0
    clipped = min(max(probability, LOWEST_PROBABILITY), HIGHEST_PROBABILITY)
    return math.log(clipped / (1 - clipped))


def rank_key(
    received_at: datetime, probability: float | None, clinical_priority: str, *, policy: Policy
) -> int:
    """Return the place in the list as milliseconds since 1970; the smallest is read first.

    Parameters
    ----------
    received_at
        Arrival of the study's first image, aware.
    probability
        Study probability, 0 to 1, or None.
    clinical_priority
        ``STAT``, ``HIGH`` or ``ROUTINE``.
    """
    head_start = policy.tau * clipped_logit(probability) + policy.bonus(clinical_priority)
    return round((received_at - head_start).timestamp() * 1000)


def due_key(received_at: datetime, clinical_priority: str, *, policy: Policy) -> int:
    """Return the time by which a study should be read, as milliseconds since 1970."""
    return round((received_at + policy.allowed(clinical_priority)).timestamp() * 1000)


def overtaking_bound(key: int, policy: Policy) -> datetime:
    """Return the time after which no arriving *routine* study can pass a study with this key.

    A routine study passes only with a smaller key, and its key is at least its arrival less
    ``tau * logit(0.98)``.
    """
    latest = key / 1000 + (policy.tau * clipped_logit(HIGHEST_PROBABILITY)).total_seconds()
    return datetime.fromtimestamp(latest, tz=UTC)


def head_start(probability: float | None, clinical_priority: str, *, policy: Policy) -> timedelta:
    """Return by how much a study stands before (positive) or behind its place by arrival."""
    return policy.tau * clipped_logit(probability) + policy.bonus(clinical_priority)


def reason(probability: float | None, clinical_priority: str, *, policy: Policy) -> str:
    """Say in words why a study stands where it stands."""
    parts = []
    if probability is None:
        parts.append("No probability: by arrival")
    elif policy.tau == timedelta():
        parts.append("First in, first out")
    else:
        minutes = policy.tau * clipped_logit(probability) / timedelta(minutes=1)
        parts.append(f"Probability {probability:.0%} is worth {_signed_minutes(minutes)}")
    bonus = policy.bonus(clinical_priority) / timedelta(minutes=1)
    if bonus:
        parts.append(f"{clinical_priority} {_signed_minutes(bonus)}")
    return "; ".join(parts)


def _signed_minutes(minutes: float) -> str:
    rounded = round(minutes)
    return f"{'+' if rounded >= 0 else '−'}{abs(rounded)} min"
