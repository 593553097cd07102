"""The ranking policy in force, and what happens to the waiting studies when it changes."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from worklist import audit, clock
from worklist.errors import Invalid
from worklist.tables import RankingPolicy, Study
from worklist.triage.ranking import Policy, rank_key


def current_policy(session: Session) -> Policy:
    """Return the newest policy, or the default one."""
    row = session.scalars(select(RankingPolicy).order_by(RankingPolicy.id.desc()).limit(1)).first()
    if row is None:
        return Policy()
    return Policy(
        tau=timedelta(seconds=row.tau_seconds),
        stat_bonus=timedelta(seconds=row.stat_bonus_seconds),
        high_bonus=timedelta(seconds=row.high_bonus_seconds),
    )


def change_policy(session: Session, policy: Policy, who: str) -> int:
    """Put another policy in force and give every waiting study its new place; return how many there are.

    Raises
    ------
    Invalid
        If a duration is negative, or STAT is worth less than HIGH.
    """
    if policy.tau < timedelta() or not policy.stat_bonus >= policy.high_bonus >= timedelta():
        raise Invalid("Waiting times of a ranking policy are zero or more, and STAT is worth at least HIGH.")
    row = RankingPolicy(
        tau_seconds=policy.tau.total_seconds(),
        stat_bonus_seconds=policy.stat_bonus.total_seconds(),
        high_bonus_seconds=policy.high_bonus.total_seconds(),
        set_at=clock.now(),
        set_by=who,
    )
    session.add(row)
    session.flush()
    count = _rekey_open(session, policy)
    audit.record(
        session,
        who,
        "ranking.changed",
        about=("ranking_policy", row.id),
        tau_seconds=row.tau_seconds,
        stat_bonus_seconds=row.stat_bonus_seconds,
        high_bonus_seconds=row.high_bonus_seconds,
        studies=count,
    )
    return count


def first_rank_key(session: Session, received_at: datetime, clinical_priority: str) -> int:
    """Return the rank key of a study that has just arrived and has no probability yet."""
    return rank_key(received_at, None, clinical_priority, policy=current_policy(session))


def _rekey_open(session: Session, policy: Policy) -> int:
    columns = (Study.id, Study.received_at, Study.study_probability, Study.clinical_priority)
    # Locked, so that a probability which is just being stored cannot get a key of the former policy.
    waiting = select(*columns).where(Study.is_open).order_by(Study.id).with_for_update()
    keys = [
        {"id": row.id, "rank_key": rank_key(row.received_at, row[2], row[3], policy=policy)}
        for row in session.execute(waiting)
    ]
    if keys:
        session.execute(update(Study), keys)
    return len(keys)
