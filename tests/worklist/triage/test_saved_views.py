"""Views of the list: kept, shared, removed, and never with a patient's name in them."""

import pytest
from sqlalchemy import select

from tests.factories import make_user
from worklist.errors import Conflict, Invalid, NotFound
from worklist.tables import AuditEvent, Role
from worklist.triage import saved_views

WRISTS = {"part": "WRIST", "attention": "flagged"}


@pytest.fixture
def rita(session):
    return make_user(session, "rita")


@pytest.fixture
def otto(session):
    return make_user(session, "otto")


def seen_by(session, user):
    return [(view.name, view.owner, view.can_remove) for view in saved_views.views(session, user.id, user.role)]


def test_own_view_is_seen_by_nobody_else(session, rita, otto):
    saved_views.save(session, rita.id, "  My   wrists ", WRISTS, is_shared=False)
    assert seen_by(session, rita) == [("My wrists", "", True)]
    assert seen_by(session, otto) == []


def test_shared_view_is_seen_by_all_and_removed_by_its_owner_or_a_lead(session, rita, otto):
    row = saved_views.save(session, rita.id, "Wrists", WRISTS, is_shared=True)
    lead = make_user(session, "lena", role=Role.LEAD)
    assert seen_by(session, otto) == [("Wrists", rita.display_name, False)]
    with pytest.raises(Conflict, match="Only the person who shares a view, a lead or an administrator"):
        saved_views.remove(session, row.id, otto.id)
    assert seen_by(session, lead) == [("Wrists", rita.display_name, True)]
    saved_views.remove(session, row.id, lead.id)
    assert seen_by(session, rita) == []


def test_same_name_again_replaces_the_view(session, rita):
    saved_views.save(session, rita.id, "Mine", WRISTS, is_shared=False)
    saved_views.save(session, rita.id, "Mine", {"due": "late"}, is_shared=True)
    (view,) = saved_views.views(session, rita.id, rita.role)
    assert (view.query, view.is_shared) == ({"due": "late"}, True)


def test_search_is_not_kept_nor_in_the_audit(session, rita):
    saved_views.save(session, rita.id, "Mine", {**WRISTS, "q": "SECRET"}, is_shared=True)
    (view,) = saved_views.views(session, rita.id, rita.role)
    assert view.query == WRISTS
    (event,) = session.scalars(select(AuditEvent).where(AuditEvent.action == "view.saved"))
    assert "SECRET" not in str(event.detail)


@pytest.mark.parametrize("name", ["", "   ", "x" * 65])
def test_name_has_a_length(session, rita, name):
    with pytest.raises(Invalid, match="A view needs a name of 1 to 64 characters"):
        saved_views.save(session, rita.id, name, WRISTS, is_shared=False)


@pytest.mark.parametrize("query", [{}, {"q": "muster"}])
def test_view_without_a_filter_is_none(session, rita, query):
    with pytest.raises(Invalid, match="Nothing is filtered"):
        saved_views.save(session, rita.id, "Mine", query, is_shared=False)


def test_nobody_has_more_than_they_can_look_through(session, rita):
    for number in range(saved_views.MOST):
        saved_views.save(session, rita.id, f"{number}", WRISTS, is_shared=False)
    with pytest.raises(Invalid, match="You have 30 views, and 30 is the most"):
        saved_views.save(session, rita.id, "another", WRISTS, is_shared=False)


def test_view_of_another_person_is_not_there(session, rita, otto):
    row = saved_views.save(session, rita.id, "Mine", WRISTS, is_shared=False)
    with pytest.raises(NotFound):
        saved_views.remove(session, row.id, otto.id)
