"""The rank key: nobody starves, nobody is passed beyond the printed bound, and the clock changes nothing."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from worklist.triage.ranking import Policy, clipped_logit, head_start, overtaking_bound, rank_key, reason

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MILLISECOND = timedelta(milliseconds=1)

# Hypothesis wants the limits naive and adds the zone.
FIRST, LAST = datetime(2020, 1, 1), datetime(2035, 1, 1)  # noqa: DTZ001
arrivals = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
probabilities = st.none() | st.floats(0, 1)
priorities = st.sampled_from(["STAT", "HIGH", "ROUTINE"])
taus = st.timedeltas(timedelta(), timedelta(hours=4))
policies = st.builds(
    lambda tau, high, more: Policy(tau=tau, high_bonus=high, stat_bonus=high + more),
    taus,
    st.timedeltas(timedelta(), timedelta(hours=2)),
    st.timedeltas(timedelta(), timedelta(hours=8)),
)


@given(
    arrivals,
    probabilities,
    priorities,
    policies,
    st.timedeltas(MILLISECOND, timedelta(days=400)),
    probabilities,
)
def test_no_routine_study_arriving_after_the_printed_bound_can_pass(
    arrival, probability, priority, policy, later, rival_probability
):
    key = rank_key(arrival, probability, priority, policy=policy)
    rival_arrival = overtaking_bound(key, policy) + later
    assert rank_key(rival_arrival, rival_probability, "ROUTINE", policy=policy) > key


@given(arrivals, probabilities, priorities, policies)
def test_a_routine_study_arriving_well_before_the_printed_bound_can_pass(
    arrival, probability, priority, policy
):
    key = rank_key(arrival, probability, priority, policy=policy)
    rival_arrival = overtaking_bound(key, policy) - 2 * MILLISECOND
    assert rank_key(rival_arrival, 1.0, "ROUTINE", policy=policy) < key


@given(arrivals, probabilities, arrivals, probabilities, policies)
def test_a_study_is_passed_only_by_less_than_the_difference_of_the_logits(
    arrival, probability, rival_arrival, rival_probability, policy
):
    own = rank_key(arrival, probability, "ROUTINE", policy=policy)
    rival = rank_key(rival_arrival, rival_probability, "ROUTINE", policy=policy)
    advantage = policy.tau * (clipped_logit(rival_probability) - clipped_logit(probability))
    if rival_arrival - arrival > advantage + MILLISECOND:
        assert rival > own - 1
    if rival_arrival - arrival < advantage - 2 * MILLISECOND:
        assert rival < own


@given(st.lists(arrivals, min_size=2, max_size=20), policies)
def test_unscored_studies_keep_first_in_first_out_among_themselves(received, policy):
    keys = [rank_key(at, None, "ROUTINE", policy=policy) for at in sorted(received)]
    assert keys == sorted(keys)


@given(arrivals, arrivals, probabilities, probabilities)
def test_tau_zero_is_first_in_first_out(one, other, probability, other_probability):
    assume(one + MILLISECOND < other)
    policy = Policy(tau=timedelta())
    first = rank_key(one, probability, "ROUTINE", policy=policy)
    assert first < rank_key(other, other_probability, "ROUTINE", policy=policy)


@given(st.lists(st.tuples(arrivals, probabilities, priorities), max_size=12), policies, st.timedeltas())
def test_the_order_never_changes_with_the_clock(studies, policy, passed):
    # The order by age at any moment, corrected by what probability and priority are worth, is that of the keys.
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=passed.total_seconds() % 1e8)

    def worth(study):
        return (now - study[0]) + head_start(study[1], study[2], policy=policy)

    in_order = sorted(studies, key=lambda study: rank_key(*study, policy=policy))
    worths = [worth(study) for study in in_order]
    assert all(above >= below - MILLISECOND for above, below in pairwise(worths))


@given(arrivals, st.floats(0, 1), st.floats(0, 1), priorities, policies)
def test_of_two_studies_of_one_moment_the_more_probable_is_read_first(arrival, one, other, priority, policy):
    low, high = sorted([one, other])
    key = rank_key(arrival, high, priority, policy=policy)
    assert key <= rank_key(arrival, low, priority, policy=policy)


@pytest.mark.parametrize(("extreme", "clipped"), [(0.0, 0.02), (0.001, 0.02), (0.999, 0.98), (1.0, 0.98)])
def test_extreme_probabilities_are_worth_no_more_than_the_clipped_ones(extreme, clipped):
    assert clipped_logit(extreme) == clipped_logit(clipped)


def test_a_probability_of_one_half_and_none_are_worth_nothing():
    assert clipped_logit(0.5) == 0
    assert clipped_logit(None) == 0


def test_the_default_policy_puts_a_certain_study_78_minutes_before_its_arrival():
    key = rank_key(EIGHT, 0.99, "ROUTINE", policy=Policy())
    assert key == round((EIGHT - 20 * MINUTE * 3.8918202981106265).timestamp() * 1000)


@pytest.mark.parametrize(("priority", "minutes"), [("STAT", 120), ("HIGH", 30), ("ROUTINE", 0), ("LOW", 0)])
def test_clinical_priority_is_worth_its_bonus_in_waiting_time(priority, minutes):
    with_bonus = rank_key(EIGHT, 0.7, priority, policy=Policy())
    assert rank_key(EIGHT, 0.7, "ROUTINE", policy=Policy()) - with_bonus == minutes * 60_000


def test_a_stat_study_passes_a_flagged_routine_study_that_came_an_hour_earlier():
    stat = rank_key(EIGHT, 0.5, "STAT", policy=Policy())
    assert stat < rank_key(EIGHT - 60 * MINUTE, 0.6, "ROUTINE", policy=Policy())


@pytest.mark.parametrize(
    ("probability", "priority", "words"),
    [
        (0.9, "ROUTINE", "Probability 90% is worth +44 min"),
        (0.1, "ROUTINE", "Probability 10% is worth −44 min"),
        (0.5, "ROUTINE", "Probability 50% is worth +0 min"),
        (None, "ROUTINE", "No probability: by arrival"),
        (None, "STAT", "No probability: by arrival; STAT +120 min"),
        (0.9, "HIGH", "Probability 90% is worth +44 min; HIGH +30 min"),
    ],
)
def test_the_reason_says_in_words_what_counts(probability, priority, words):
    assert reason(probability, priority, policy=Policy()) == words


def test_the_reason_names_first_in_first_out_when_the_probability_does_not_count():
    assert reason(0.9, "ROUTINE", policy=Policy(tau=timedelta())) == "First in, first out"


def test_a_key_is_whole_milliseconds_and_nobody_is_placed_by_less():
    one = rank_key(EIGHT, None, "ROUTINE", policy=Policy())
    other = rank_key(EIGHT + timedelta(microseconds=400), None, "ROUTINE", policy=Policy())
    assert isinstance(one, int)
    assert one == other
