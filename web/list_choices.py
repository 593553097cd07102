"""What readers choose for their list: its columns, and views with a name."""

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from web import security
from web.worklist_page import COLUMNS, filters_from, query_of
from worklist import database
from worklist.accounts.preferences import prefer
from worklist.errors import Invalid
from worklist.triage import saved_views

bp = Blueprint("list_choices", __name__)


@bp.post("/list/columns")
@security.role(*security.VIEWERS)
def columns() -> ResponseReturnValue:
    """Keep which columns this person's list has."""
    chosen = request.form.getlist("column")
    if unknown := set(chosen) - set(COLUMNS):
        raise Invalid(f"The list has no column {unknown.pop()!r}; it has {', '.join(COLUMNS)}.")
    is_default = "default" in request.form
    with database.transaction() as session:
        prefer(session, security.person().id, "columns", None if is_default else chosen)
    return _back()


@bp.post("/list/views")
@security.role(*security.VIEWERS)
def save() -> ResponseReturnValue:
    """Keep the filters of the address under a name."""
    query = query_of(filters_from(request.args))
    with database.transaction() as session:
        row = saved_views.save(
            session,
            security.person().id,
            request.form.get("name", ""),
            query,
            is_shared="shared" in request.form,
        )
        flash(f"View {row.name!r} is kept{' for everybody' if row.is_shared else ''}.")
    return _back()


@bp.post("/list/views/<int:view_id>/remove")
@security.role(*security.VIEWERS)
def remove(view_id: int) -> ResponseReturnValue:
    """Remove a view."""
    with database.transaction() as session:
        saved_views.remove(session, view_id, security.person().id)
    flash("The view is removed.")
    return _back()


def _back() -> ResponseReturnValue:
    query: dict[str, Any] = dict(query_of(filters_from(request.args)))
    return redirect(url_for("worklist_page.page", **query), 303)
