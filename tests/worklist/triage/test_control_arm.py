"""The control arm: by chance, the same each time, and blind to what the classifier says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import make_study
from worklist import clock
from worklist.tables import ControlRule
from worklist.triage import control_arm, policy
from worklist.triage.list_query import Filters
from worklist.triage.ranked_list import ranked_page
from worklist.triage.ranking import Policy
from worklist.triage.refresh import refresh_study

BY_DAY = Policy(control_rule=ControlRule.DAY, control_share=0.5)


def at(hour, day=2, minute=0):
    """A time in the zone of the server."""
    return datetime(2026, 3, day, hour, minute).astimezone().astimezone(UTC)


@pytest.mark.parametrize(
    ("rule", "first", "second", "are_together"),
    [
        ("study", at(8), at(8), False),
        ("day", at(0, minute=1), at(23), True),
        ("day", at(23), at(0, day=3), False),
        ("shift", at(6), at(13, minute=59), True),
        ("shift", at(13, minute=59), at(14), False),
        ("shift", at(22), at(5, day=3), True),
        ("shift", at(5, day=3), at(6, day=3), False),
    ],
)
def test_what_is_allocated_together(rule, first, second, are_together):
    units = control_arm.unit(rule, "1.2.3", first), control_arm.unit(rule, "1.2.4", second)
    assert (units[0] == units[1]) is are_together


def test_a_share_of_the_units_and_not_the_same_for_another_seed():
    def chosen(seed, share):
        return {n for n in range(4000) if control_arm.is_control("study", share, seed, str(n), at(8))}

    assert 1100 < len(chosen("a", 0.3)) < 1300
    assert chosen("a", 0.3) < chosen("a", 0.5)
    assert 200 < len(chosen("a", 0.3) & chosen("b", 0.3)) < 520
    assert chosen("a", 0) == set()
    assert len(chosen("a", 1)) == 4000


def test_control_study_stands_by_arrival_and_priority_alone(session, frozen):
    study = make_study(session, probability=0.97, is_control=True, waiting_minutes=10)
    policy.change_policy(session, BY_DAY, "adam")
    session.refresh(study)
    assert study.rank_key == clock.milliseconds(study.received_at)
    refresh_study(session, study.id)
    assert study.rank_key == clock.milliseconds(study.received_at)
    urgent = make_study(session, clinical_priority="STAT", is_control=True)
    policy.change_policy(
        session, Policy(tau=timedelta(minutes=9), control_rule="day", control_share=0.5), "adam"
    )
    session.refresh(urgent)
    assert urgent.rank_key == clock.milliseconds(urgent.received_at - timedelta(hours=2))


def test_reason_of_a_control_study_is_its_arrival(session):
    make_study(session, probability=0.97, is_control=True)
    (row,) = ranked_page(session, Filters()).rows
    assert row.reason == "First in, first out"


def test_trial_keeps_its_allocation_when_another_duration_changes(session, frozen):
    policy.change_policy(session, BY_DAY, "adam")
    first = policy.current_policy(session)
    assert first.control_seed
    assert first.control_seed not in repr(first)
    policy.change_policy(session, replace(first, tau=timedelta(minutes=5)), "adam")
    assert policy.current_policy(session).control_seed == first.control_seed


def test_new_study_gets_its_arm_at_arrival(session, frozen):
    policy.change_policy(session, Policy(control_rule="study", control_share=0.5), "adam")
    arms = [policy.first_place(session, frozen.time, "ROUTINE", str(n))["is_control"] for n in range(40)]
    assert 5 < sum(arms) < 35
