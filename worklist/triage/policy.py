"""The ranking policy in force, and what happens to the waiting studies when it changes."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from worklist import audit, clock
from worklist.errors import Invalid
from worklist.tables import RankingPolicy, Study
from worklist.triage.control_arm import is_control
from worklist.triage.ranking import Policy, due_key, rank_key

DURATIONS = ("tau", "stat_bonus", "high_bonus", "stat_due", "high_due", "routine_due")


def current_policy(session: Session) -> Policy:
    """Return the newest policy, or the default one."""
    row = session.scalars(select(RankingPolicy).order_by(RankingPolicy.id.desc()).limit(1)).first()
    if row is None:
        return Policy()
    durations = {name: timedelta(seconds=getattr(row, f"{name}_seconds")) for name in DURATIONS}
    return Policy(
        **durations,
        control_rule=row.control_rule,
        control_share=row.control_share,
        control_seed=row.control_seed,
    )


def change_policy(session: Session, policy: Policy, who: str) -> int:
    """Put another policy in force and give every waiting study its new place; return how many there are.

    Raises
    ------
    Invalid
        If a duration is negative, STAT is worth less than HIGH, or may wait longer.
    """
    if policy.tau < timedelta() or not policy.stat_bonus >= policy.high_bonus >= timedelta():
        raise Invalid("Waiting times of a ranking policy are zero or more, and STAT is worth at least HIGH.")
    if not policy.routine_due >= policy.high_due >= policy.stat_due > timedelta():
        raise Invalid("STAT is due after more than zero, HIGH not before STAT, ROUTINE not before HIGH.")
    if not 0 <= policy.control_share <= 1:
        raise Invalid(f"The share of the control arm is between 0 and 1, not {policy.control_share:g}.")
    seconds = {f"{name}_seconds": getattr(policy, name).total_seconds() for name in DURATIONS}
    control = {"control_rule": policy.control_rule, "control_share": policy.control_share}
    # A running trial keeps its seed, so that another τ moves no study to the other arm.
    seed = policy.control_seed or secrets.token_hex(16)
    row = RankingPolicy(**seconds, **control, control_seed=seed, set_at=clock.now(), set_by=who)
    session.add(row)
    session.flush()
    count = _rekey_open(session, policy)
    audit.record(
        session,
        who,
        "ranking.changed",
        about=("ranking_policy", row.id),
        **seconds,
        **control,
        studies=count,
    )
    return count


def first_place(
    session: Session, received_at: datetime, clinical_priority: str, study_instance_uid: str
) -> Mapping[str, int]:
    """Return the columns that place a study which has just arrived and has no probability yet."""
    policy = current_policy(session)
    return {
        "is_control": is_control(
            policy.control_rule, policy.control_share, policy.control_seed, study_instance_uid, received_at
        ),
        "rank_key": rank_key(received_at, None, clinical_priority, policy=policy),
        "due_key": due_key(received_at, clinical_priority, policy=policy),
    }


def _rekey_open(session: Session, policy: Policy) -> int:
    columns = (
        Study.id,
        Study.received_at,
        Study.study_probability,
        Study.clinical_priority,
        Study.is_control,
    )
    # Locked, so that a probability which is just being stored cannot get a key of the former policy.
    waiting = select(*columns).where(Study.is_open).order_by(Study.id).with_for_update()
    keys = [
        {
            "id": row.id,
            "rank_key": rank_key(
                row.received_at, row[2], row[3], policy=policy.of_arm(is_control=row.is_control)
            ),
            "due_key": due_key(row.received_at, row[3], policy=policy),
        }
        for row in session.execute(waiting)
    ]
    if keys:
        session.execute(update(Study), keys)
    return len(keys)
