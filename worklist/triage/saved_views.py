"""Filters of the list under a name: a person's own, and those that somebody shares with everybody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from worklist import audit
from worklist.errors import Conflict, Invalid, NotFound
from worklist.tables import Role, SavedView, User

LONGEST_NAME = 64
MOST = 30
SEARCH = "q"
"""Never kept: a search names a patient, and a view may be everybody's."""


@dataclass(frozen=True)
class View:
    """A view as one person sees it; ``owner`` is empty if it is their own."""

    id: int
    name: str
    query: Mapping[str, str]
    is_shared: bool
    owner: str
    can_remove: bool


def views(session: Session, user_id: int, role: Role) -> Sequence[View]:
    """Return a person's own views, and those of others that are shared, by name."""
    rows = session.execute(
        select(SavedView, User.display_name)
        .join(User, User.id == SavedView.user_id)
        .where((SavedView.user_id == user_id) | SavedView.is_shared)
        .order_by(SavedView.user_id != user_id, SavedView.name, SavedView.id)
    )
    return [
        View(
            row.id,
            row.name,
            row.query,
            row.is_shared,
            "" if row.user_id == user_id else owner,
            row.user_id == user_id or role in (Role.LEAD, Role.ADMINISTRATOR),
        )
        for row, owner in rows
    ]


def save(session: Session, user_id: int, name: str, query: Mapping[str, str], *, is_shared: bool) -> SavedView:
    """Keep filters under a name; an own view of that name is replaced.

    Raises
    ------
    Invalid
        If the name is empty or too long, nothing is filtered, or the person has too many views.
    """
    name = " ".join(name.split())
    kept = {key: value for key, value in query.items() if key != SEARCH}
    if not 0 < len(name) <= LONGEST_NAME:
        raise Invalid(f"A view needs a name of 1 to {LONGEST_NAME} characters; {name[:80]!r} has {len(name)}.")
    if not kept:
        raise Invalid("Nothing is filtered that a view could keep (a search is not): choose a filter first.")
    own = session.scalars(select(SavedView).where(SavedView.user_id == user_id)).all()
    row = next((view for view in own if view.name == name), None)
    if row is None:
        if len(own) >= MOST:
            raise Invalid(f"You have {len(own)} views, and {MOST} is the most: remove one first.")
        row = SavedView(user_id=user_id, name=name)
        session.add(row)
    row.query, row.is_shared = kept, is_shared
    session.flush()
    _record(session, user_id, "view.saved", row)
    return row


def remove(session: Session, view_id: int, user_id: int) -> None:
    """Remove a view.

    Raises
    ------
    NotFound
        If there is none, or it is another person's own.
    Conflict
        If it is shared by somebody else, and the person is neither lead nor administrator.
    """
    row = session.get(SavedView, view_id)
    if row is None or (row.user_id != user_id and not row.is_shared):
        raise NotFound("There is no such view.")
    role = session.get_one(User, user_id).role
    if row.user_id != user_id and role not in (Role.LEAD, Role.ADMINISTRATOR):
        raise Conflict("Only the person who shares a view, a lead or an administrator can remove it.")
    _record(session, user_id, "view.removed", row)
    session.delete(row)


def _record(session: Session, user_id: int, action: str, row: SavedView) -> None:
    who = session.get_one(User, user_id).username
    about = ("saved_view", row.id)
    audit.record(session, who, action, about=about, query=dict(row.query), is_shared=row.is_shared)
