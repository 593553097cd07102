"""The audit stream: who did what to what, in the transaction of the act."""

import pytest
from sqlalchemy import select

from tests.both_engines import site
from worklist import audit, database
from worklist.tables import AuditEvent

__all__ = ["site"]


def test_an_event_says_who_what_when_and_about_what(session, frozen):
    audit.record(session, "adam", "classifier.promoted", about=("classifier_version", 7), name="b-2")
    session.flush()
    session.expire_all()
    event = session.scalars(select(AuditEvent)).one()
    assert (event.who, event.action, event.at) == ("adam", "classifier.promoted", frozen.time)
    assert (event.about_type, event.about_id, event.detail) == ("classifier_version", 7, {"name": "b-2"})


def test_an_action_that_nobody_documented_is_refused(session):
    with pytest.raises(ValueError, match=r"study\.lost is not an audit action"):
        audit.record(session, "adam", "study.lost", about=("study", 1))


def test_an_event_of_an_act_that_failed_is_not_kept(site):
    def act():
        with database.transaction() as session:
            audit.record(session, "adam", "study.read", about=("study", 1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act()
    with database.reading() as session:
        assert session.scalars(select(AuditEvent)).all() == []


def test_events_are_numbered_in_the_order_they_happened(session):
    for number in range(3):
        audit.record(session, "adam", "study.read", about=("study", number))
        session.flush()
    events = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [event.about_id for event in events] == [0, 1, 2]


def test_actions_are_named_once_as_subject_and_past_participle():
    assert len(set(audit.ACTIONS)) == len(audit.ACTIONS)
    assert all(action.count(".") == 1 and action.islower() and len(action) <= 64 for action in audit.ACTIONS)
