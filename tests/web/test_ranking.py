"""The page of the ranking policy: what it changes, what it refuses, what a trial has shown."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import select

from tests.conftest import Clock
from tests.factories import make_study, make_user
from tests.web.conftest import Visitor
from tests.web.test_worklist_page import names_of, text_of
from worklist import database
from worklist.reading import verdicts
from worklist.reading.judgement import Judgement
from worklist.reading.verdicts import Seen
from worklist.tables import AuditEvent, Opinion
from worklist.triage.policy import current_policy
from worklist.triage.ranking import Policy

ADDRESS = "/admin/ranking"
SignIn = Callable[[str], Visitor]


@pytest.fixture
def adam(sign_in: SignIn) -> Visitor:
    """Adam has signed in."""
    return sign_in("adam")


def fields(page: str) -> dict[str, str]:
    texts = dict(re.findall(r'<input id="\w+" name="(\w+)" value="([^"]*)"', page))
    rule = re.search(r'name="control_rule" value="(\w+)" checked', page)
    assert rule is not None
    return {**texts, "control_rule": rule[1]}


def in_force() -> Policy:
    with database.reading() as session:
        return current_policy(session)


def add(name: str, **values: object) -> int:
    with database.transaction() as session:
        return make_study(session, patient_name=name, patient_name_folded=name.upper(), **values).id


@pytest.mark.parametrize("who", ["rita", "lena", "aude"])
def test_only_administrators_change_the_ranking(sign_in: SignIn, who: str) -> None:
    visitor = sign_in(who)
    assert visitor.get(ADDRESS).status_code == 403
    assert visitor.post(ADDRESS, data={"csrf_token": visitor.token("/account/keys")}).status_code == 403


def test_list_is_first_come_first_read_once_probability_is_worth_nothing(
    adam: Visitor, sign_in: SignIn, frozen: Clock
) -> None:
    add("EARLY", waiting_minutes=20, probability=0.1)
    add("LATE", waiting_minutes=10, probability=0.9)
    rita = sign_in("rita")
    assert names_of(rita.get("/").text) == ["LATE", "EARLY"]

    answer = adam.submit(ADDRESS, **{**fields(adam.get(ADDRESS).text), "tau": "0"})

    assert answer.status_code == 303
    assert "2 waiting studies have their new place" in adam.get(ADDRESS).text
    assert names_of(rita.get("/").text) == ["EARLY", "LATE"]
    with database.reading() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "ranking.changed")).one()
    assert (event.who, event.detail["tau_seconds"]) == ("adam", 0)


def test_what_is_in_force_is_shown_and_saving_it_again_changes_nothing(adam: Visitor) -> None:
    given = {
        **fields(adam.get(ADDRESS).text),
        "stat_due": "12,5",
        "control_rule": "shift",
        "control_share": "25",
    }
    adam.submit(ADDRESS, **given)
    policy = in_force()
    assert policy.stat_due == timedelta(minutes=12.5)
    assert (policy.control_rule, policy.control_share) == ("shift", 0.25)
    shown = fields(adam.get(ADDRESS).text)
    assert shown == {**given, "stat_due": "12.5"}
    adam.submit(ADDRESS, **shown)
    assert "Nothing was changed." in adam.get(ADDRESS).text
    assert in_force().control_seed == policy.control_seed


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"tau": "soon"}, "One unit of logit: 'soon' is not a number."),
        ({"tau": "-1"}, "One unit of logit: -1 is not between 0 and 525,600."),
        ({"tau": "nan"}, "One unit of logit: nan is not between"),
        ({"stat_bonus": "1"}, "STAT is worth at least HIGH"),
        ({"high_due": "10"}, "HIGH not before STAT"),
        ({"control_share": "101"}, "Share of the control arm: 101 is not between 0 and 100."),
        ({"control_rule": "weather"}, "drawn by one of none, study, day, shift, not 'weather'"),
    ],
)
def test_policy_that_breaks_a_rule_is_refused_and_what_was_typed_stays(
    adam: Visitor, wrong: dict[str, str], told: str
) -> None:
    answer = adam.submit(ADDRESS, **{**fields(adam.get(ADDRESS).text), "routine_due": "1234", **wrong})
    assert answer.status_code == 422
    assert told in unescape(text_of(answer.text))
    assert 'value="1234"' in answer.text
    assert in_force() == Policy()


def test_trial_is_told_by_arm(adam: Visitor, frozen: Clock) -> None:
    assert "Nobody knows yet" in adam.get(ADDRESS).text
    adam.submit(ADDRESS, **{**fields(adam.get(ADDRESS).text), "control_rule": "study", "control_share": "50"})
    assert "No study of the trial has been read yet." in adam.get(ADDRESS).text
    with database.transaction() as session:
        reader = make_user(session, "otto")
        for number in range(40):
            study = make_study(session, probability=0.9, waiting_minutes=0, is_control=number % 2 == 0)
            seen = Seen(study.content_version, study.result_version)
            frozen.advance(minutes=30 if number % 2 else 90)
            verdicts.give_verdict(session, study.id, reader.id, Judgement(Opinion.ABNORMAL), seen=seen)
    page = text_of(adam.get(ADDRESS).text)
    assert "Ranked abnormal 20 30 30 30 30" in page
    assert "Order of arrival abnormal 20 90 90 90 90" in page
    assert "Abnormal studies are read 60 minutes sooner where they are ranked (95 % interval 60 to 60)." in page
