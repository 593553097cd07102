"""What ranking was worth: how long studies waited in the control arm and in the ranked one.

Abnormal is what the readers said, whatever the classifier thought. Studies are allocated by unit (study, day,
shift), so the interval is a bootstrap over units: resampling studies of one day as if they were independent
would make it too narrow (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from worklist.reading.turns import stands
from worklist.tables import Opinion, RankingPolicy, ReadingState, Study, Verdict

Unit = Callable[[str, datetime], str]

SAMPLES = 2000
FEWEST_UNITS = 5


@dataclass(frozen=True)
class Waited:
    """Minutes from arrival to reading, of the studies of one arm and one opinion."""

    count: int
    mean: float
    median: float
    p95: float
    longest: float


@dataclass(frozen=True)
class Trial:
    """Both arms since the control arm began.

    Attributes
    ----------
    arms
        By (is control, opinion); opinions *unsure* are left out.
    gain
        Minutes by which abnormal studies of the ranked arm were read sooner, on average, and the ends of its
        95 % interval; None if an arm has too few units.
    """

    since: datetime
    arms: dict[tuple[bool, Opinion], Waited]
    gain: tuple[float, float, float] | None


@dataclass(frozen=True)
class _Read:
    unit: str
    is_control: bool
    opinion: Opinion
    minutes: float


def trial(session: Session, unit: Unit, since: datetime) -> Trial:
    """Compare the arms of the studies that arrived since a time and have been read.

    Parameters
    ----------
    unit
        (study instance UID, arrival) → what was allocated together.
    """
    reads = _reads(session, unit, since)
    arms = {}
    for is_control in (False, True):
        for opinion in (Opinion.ABNORMAL, Opinion.NORMAL):
            minutes = [one.minutes for one in reads if (one.is_control, one.opinion) == (is_control, opinion)]
            if minutes:
                arms[is_control, opinion] = _waited(minutes)
    return Trial(since, arms, _gain([one for one in reads if one.opinion is Opinion.ABNORMAL]))


def began(session: Session) -> datetime | None:
    """Return since when there has been a control arm without a break; None if there is none."""
    start = None
    for row in session.scalars(select(RankingPolicy).order_by(RankingPolicy.id.desc())):
        if not (row.control_rule != "none" and row.control_share > 0):
            break
        start = row.set_at
    return start


def _reads(session: Session, unit: Unit, since: datetime) -> Sequence[_Read]:
    rows = session.execute(
        select(
            Study.id,
            Study.study_instance_uid,
            Study.received_at,
            Study.read_at,
            Study.is_control,
            Verdict.opinion,
        )
        .join(Verdict, Verdict.study_id == Study.id)
        .where(Study.received_at >= since, Study.reading_state == ReadingState.READ, stands())
        .order_by(Verdict.id)
    )
    # Of several verdicts the newest counts, which is the arbitration where there was one.
    newest = {row.id: row for row in rows}
    return [
        _Read(
            unit(row.study_instance_uid, row.received_at),
            row.is_control,
            row.opinion,
            (row.read_at - row.received_at) / timedelta(minutes=1),
        )
        for row in newest.values()
        if row.read_at is not None
    ]


def _waited(minutes: Sequence[float]) -> Waited:
    values = np.asarray(minutes)
    return Waited(
        len(minutes),
        float(values.mean()),
        float(np.median(values)),
        float(np.percentile(values, 95)),
        float(values.max()),
    )


def _gain(reads: Sequence[_Read]) -> tuple[float, float, float] | None:
    arms = [_units(reads, is_control=is_control) for is_control in (False, True)]
    if any(len(units) < FEWEST_UNITS for units in arms):
        return None
    random = np.random.default_rng(0)
    ranked, control = (_means(units, random) for units in arms)
    low, high = np.percentile(control[1:] - ranked[1:], [2.5, 97.5])
    return float(control[0] - ranked[0]), float(low), float(high)


def _units(reads: Sequence[_Read], *, is_control: bool) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Return for each unit how many studies it has and how many minutes they waited together."""
    units: dict[str, list[float]] = {}
    for one in reads:
        if one.is_control == is_control:
            units.setdefault(one.unit, []).append(one.minutes)
    return np.array([(len(minutes), sum(minutes)) for minutes in units.values()], float).reshape(-1, 2)


def _means(
    units: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", random: np.random.Generator
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return the mean wait of a study, first as it was, then in samples of the units."""
    chosen = random.integers(0, len(units), (SAMPLES, len(units)))
    sums = np.concatenate([units.sum(axis=0)[None], units[chosen].sum(axis=1)])
    means: np.ndarray[tuple[int], np.dtype[np.float64]] = sums[:, 1] / sums[:, 0]
    return means
