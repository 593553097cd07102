"""The control arm: studies that chance, and not the classifier, puts in their place. Pure.

Only a random allocation tells what ranking is worth: studies of the control arm stand by arrival and clinical
priority alone. Who belongs to it follows from a seed that nobody sees, so that it can be computed again and not
be guessed. By day or by shift, readers meet either order as a whole; by study, both are mixed.
"""

import hashlib
from datetime import datetime, timedelta

SHIFTS = (6, 14, 22)
"""Hours at which a shift begins, in the time zone of the server."""


def unit(rule: str, study_instance_uid: str, received_at: datetime) -> str:
    """Return what is allocated together: a study, a day, or a shift; a night belongs to the day it began on."""
    if rule == "study":
        return study_instance_uid
    local = received_at.astimezone()
    if rule == "day":
        return local.date().isoformat()
    shifted = local - timedelta(hours=SHIFTS[0])
    length = 24 // len(SHIFTS)
    return f"{shifted.date().isoformat()} {shifted.hour // length}"


def is_control(rule: str, share: float, seed: str, study_instance_uid: str, received_at: datetime) -> bool:
    """Say whether a study belongs to the control arm.

    Parameters
    ----------
    rule
        ``none``, ``study``, ``day`` or ``shift``.
    share
        Of the units, 0 to 1.
    seed
        Random text of the policy in force.
    """
    if rule == "none":
        return False
    return chance(seed, unit(rule, study_instance_uid, received_at)) < share


def chance(seed: str, name: str) -> float:
    """Return a number in [0, 1) that belongs to a name and cannot be guessed without the seed."""
    digest = hashlib.sha256(f"{seed}|{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
