"""What the trial tells of two arms."""

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy.orm import Session

from tests.conftest import Clock
from tests.factories import make_study, make_user
from worklist import clock
from worklist.reading import trial
from worklist.tables import Opinion, ReadingState, Turn, User, Verdict
from worklist.triage import control_arm, policy
from worklist.triage.ranking import Policy

BY_STUDY = partial(control_arm.unit, "study")


@pytest.fixture
def rita(session: Session) -> User:
    return make_user(session, "rita")


def add(
    session: Session, user: User, minutes: float, *, is_control: bool, opinion: Opinion, **values: object
) -> None:
    read = {"is_open": False, "reading_state": ReadingState.READ, "read_at": clock.now()}
    study = make_study(session, waiting_minutes=minutes, is_control=is_control, **read)
    given = {"result_version": 1, "visible": {}, "given_at": clock.now(), **values}
    session.add(Verdict(study_id=study.id, user_id=user.id, opinion=opinion, **given))
    session.flush()


def test_arms_and_gain_are_told_with_an_interval(session: Session, frozen: Clock, rita: User) -> None:
    for number in range(20):
        add(session, rita, 20 + number, is_control=False, opinion=Opinion.ABNORMAL)
        add(session, rita, 60 + number, is_control=True, opinion=Opinion.ABNORMAL)
        add(session, rita, 70, is_control=False, opinion=Opinion.NORMAL)
    add(session, rita, 1000, is_control=False, opinion=Opinion.UNSURE)
    found = trial.trial(session, BY_STUDY, clock.now() - timedelta(days=1))
    ranked = found.arms[False, Opinion.ABNORMAL]
    assert (ranked.count, ranked.mean, ranked.median, ranked.longest) == (20, 29.5, 29.5, 39)
    assert found.arms[False, Opinion.NORMAL].count == 20
    assert set(found.arms) == {(False, Opinion.ABNORMAL), (False, Opinion.NORMAL), (True, Opinion.ABNORMAL)}
    assert found.gain is not None
    gain, low, high = found.gain
    assert gain == pytest.approx(40)
    # Two means of 20 draws with a standard deviation of 5.8: 1.96 times 1.82.
    assert (low, high) == (pytest.approx(36.4, abs=0.5), pytest.approx(43.6, abs=0.5))


def test_days_that_hang_together_make_the_interval_wider(session: Session, frozen: Clock, rita: User) -> None:
    for number in range(60):
        for is_control in (False, True):
            add(session, rita, 30 + 10 * (number % 6), is_control=is_control, opinion=Opinion.ABNORMAL)
    widths = []
    for unit in (BY_STUDY, lambda _, received_at: received_at.isoformat()):
        found = trial.trial(session, unit, clock.now() - timedelta(days=1))
        assert found.gain is not None
        widths.append(found.gain[2] - found.gain[1])
    assert widths[1] > 2 * widths[0]


def test_too_few_units_give_no_interval(session: Session, frozen: Clock, rita: User) -> None:
    for is_control in (False, True):
        for _ in range(4):
            add(session, rita, 10, is_control=is_control, opinion=Opinion.ABNORMAL)
    assert trial.trial(session, BY_STUDY, clock.now() - timedelta(days=1)).gain is None


def test_newest_verdict_counts_where_there_was_an_arbitration(
    session: Session, frozen: Clock, rita: User
) -> None:
    add(session, rita, 10, is_control=True, opinion=Opinion.NORMAL)
    verdict = session.query(Verdict).one()
    values = {"result_version": 1, "visible": {}, "given_at": clock.now(), "turn": Turn.ARBITRATION}
    session.add(Verdict(study_id=verdict.study_id, user_id=rita.id, opinion=Opinion.ABNORMAL, **values))
    session.flush()
    found = trial.trial(session, BY_STUDY, clock.now() - timedelta(days=1))
    assert list(found.arms) == [(True, Opinion.ABNORMAL)]


def test_trial_began_with_the_first_policy_of_an_unbroken_row(session: Session, frozen: Clock) -> None:
    assert trial.began(session) is None
    with_arm = Policy(control_rule="day", control_share=0.5)
    starts = []
    for chosen in (
        with_arm,
        Policy(),
        with_arm,
        Policy(tau=timedelta(), control_rule="day", control_share=0.5),
    ):
        starts.append(clock.now())
        policy.change_policy(session, chosen, "adam")
        frozen.advance(hours=1)
    assert trial.began(session) == starts[2]
