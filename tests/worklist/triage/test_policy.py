"""The ranking policy in force, and the waiting studies when it changes."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.factories import make_study
from worklist import clock
from worklist.errors import Invalid
from worklist.tables import AuditEvent, ClinicalPriority, RankingPolicy, ReadingState
from worklist.triage import policy
from worklist.triage.list_query import Filters
from worklist.triage.ranked_list import ranked_page
from worklist.triage.ranking import Policy

FIRST_IN_FIRST_OUT = Policy(tau=timedelta())


def order(session):
    return [row.study_id for row in ranked_page(session, Filters()).rows]


def test_without_a_row_the_default_policy_is_in_force(session):
    assert policy.current_policy(session) == Policy()


def test_the_newest_policy_is_in_force(session, frozen):
    chosen = Policy(timedelta(minutes=7), timedelta(hours=3), timedelta(minutes=9))
    policy.change_policy(session, FIRST_IN_FIRST_OUT, "adam")
    policy.change_policy(session, chosen, "adam")
    assert policy.current_policy(session) == chosen


def test_changing_tau_gives_every_waiting_study_its_new_place(session, frozen):
    old = make_study(session, probability=0.1, waiting_minutes=60)
    flagged = make_study(session, probability=0.95, waiting_minutes=5)
    assert order(session) == [flagged.id, old.id]
    assert policy.change_policy(session, FIRST_IN_FIRST_OUT, "adam") == 2
    assert order(session) == [old.id, flagged.id]


def test_changing_a_bonus_moves_stat_studies(session, frozen):
    routine = make_study(session, waiting_minutes=60)
    stat = make_study(session, waiting_minutes=5, clinical_priority=ClinicalPriority.STAT)
    assert order(session) == [stat.id, routine.id]
    policy.change_policy(session, Policy(stat_bonus=timedelta(), high_bonus=timedelta()), "adam")
    assert order(session) == [routine.id, stat.id]


def test_studies_that_are_being_read_move_too_and_read_ones_stay(session, frozen):
    reading = make_study(session, probability=0.9, reading_state=ReadingState.READING)
    read = make_study(session, probability=0.9, reading_state=ReadingState.READ, is_open=False)
    before = read.rank_key
    assert policy.change_policy(session, FIRST_IN_FIRST_OUT, "adam") == 1
    session.expire_all()
    assert read.rank_key == before
    assert reading.rank_key != before


def test_the_bound_and_the_reason_on_the_row_follow_the_policy(session, frozen):
    make_study(session, probability=0.9)
    policy.change_policy(session, FIRST_IN_FIRST_OUT, "adam")
    row = ranked_page(session, Filters()).rows[0]
    assert row.reason == "First in, first out"
    assert row.cannot_be_passed_after == row.received_at


@pytest.mark.parametrize(
    "broken",
    [
        Policy(tau=timedelta(seconds=-1)),
        Policy(stat_bonus=timedelta(minutes=1), high_bonus=timedelta(minutes=2)),
        Policy(stat_bonus=timedelta(minutes=1), high_bonus=timedelta(minutes=-1)),
    ],
)
def test_a_policy_that_breaks_a_rule_is_refused_with_the_rule(session, broken):
    with pytest.raises(Invalid, match="zero or more, and STAT is worth at least HIGH"):
        policy.change_policy(session, broken, "adam")
    assert session.scalars(select(RankingPolicy)).all() == []


def test_a_change_is_recorded_with_who_and_what(session, frozen):
    make_study(session)
    policy.change_policy(session, FIRST_IN_FIRST_OUT, "adam")
    event = session.scalars(select(AuditEvent)).one()
    assert (event.who, event.action, event.at) == ("adam", "ranking.changed", frozen.time)
    assert event.detail["tau_seconds"] == 0
    assert event.detail["studies"] == 1


def test_a_study_that_arrives_stands_where_its_arrival_and_priority_put_it(session, frozen):
    assert policy.first_place(session, frozen.time, "STAT", "1.2.3") == {
        "is_control": False,
        "rank_key": clock.milliseconds(frozen.time - timedelta(hours=2)),
        "due_key": clock.milliseconds(frozen.time + timedelta(hours=1)),
    }


def test_another_time_that_studies_may_take_gives_those_that_wait_another_deadline(session, frozen):
    waiting, read = make_study(session), make_study(session, is_open=False, reading_state=ReadingState.READ)
    before = read.due_key
    policy.change_policy(session, Policy(routine_due=timedelta(hours=6)), "adam")
    session.expire_all()
    assert waiting.due_key == clock.milliseconds(frozen.time + timedelta(hours=6))
    assert read.due_key == before


@pytest.mark.parametrize(
    "broken",
    [
        Policy(stat_due=timedelta()),
        Policy(stat_due=timedelta(hours=5)),
        Policy(routine_due=timedelta(hours=3)),
    ],
)
def test_deadlines_follow_the_priorities(session, broken):
    with pytest.raises(Invalid, match="STAT is due after more than zero, HIGH not before STAT"):
        policy.change_policy(session, broken, "adam")
