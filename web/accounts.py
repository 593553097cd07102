"""The administrator's page of accounts: who may do what, and first passwords, each shown once."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from web import oidc, security
from web.administration import administrators_only
from worklist import database, settings
from worklist.accounts import administration
from worklist.errors import Conflict, Invalid
from worklist.tables import Role, User

bp = Blueprint("accounts", __name__, url_prefix="/admin/accounts")

ROLES = {
    Role.READER: "Reads studies and gives verdicts.",
    Role.LEAD: "Reads, takes back verdicts of others, puts classifiers in charge.",
    Role.ADMINISTRATOR: "Manages sources, held back images, accounts and classifiers; looks at studies.",
    Role.AUDITOR: "Looks at what was done, never at patients.",
    Role.SERVICE: "No person: a program that stores images over the web (STOW-RS).",
}


@bp.get("")
@administrators_only
def page() -> ResponseReturnValue:
    """Show all accounts."""
    with database.reading() as session:
        rows = administration.everybody(session)
    return render_template("accounts/page.html", rows=rows, roles=ROLES, is_locked=administration.is_locked)


@bp.get("/add")
@administrators_only
def add() -> ResponseReturnValue:
    """Show the form for a new account."""
    return render_template("accounts/form.html", row=None, given={"role": Role.READER}, roles=ROLES)


@bp.post("/add")
@administrators_only
def begin() -> ResponseReturnValue:
    """Add an account and show its first password."""
    form = request.form
    try:
        with database.transaction() as session:
            user, password = administration.add(
                session, form.get("username", ""), form.get("display_name", ""), _role(), who=_who()
            )
    except (Invalid, Conflict) as error:
        return _again(None, str(error))
    return render_template("accounts/password.html", row=user, password=password, is_new=True)


@bp.get("/<int:user_id>")
@administrators_only
def edit(user_id: int) -> ResponseReturnValue:
    """Show name and role of an account."""
    with database.reading() as session:
        user = administration.existing(session, user_id)
    given = {"display_name": user.display_name, "role": user.role}
    return render_template("accounts/form.html", row=user, given=given, roles=ROLES)


@bp.post("/<int:user_id>")
@administrators_only
def change(user_id: int) -> ResponseReturnValue:
    """Give an account another name or role."""
    try:
        with database.transaction() as session:
            user = administration.change(
                session, user_id, display_name=request.form.get("display_name", ""), role=_role(), who=_who()
            )
    except (Invalid, Conflict) as error:
        return _again(user_id, str(error))
    flash(f"{user.display_name} is {user.role.value} now.")
    return redirect(url_for(".page"), 303)


@bp.post("/<int:user_id>/switch")
@administrators_only
def switch(user_id: int) -> ResponseReturnValue:
    """Switch an account on or off."""
    is_active = request.form.get("is_active") == "yes"
    with database.transaction() as session:
        user = administration.switch(session, user_id, is_active=is_active, who=_who())
    flash(f"{user.display_name} may sign in." if is_active else f"{user.display_name} cannot sign in any more.")
    return redirect(url_for(".page"), 303)


@bp.post("/<int:user_id>/unlock")
@administrators_only
def unlock(user_id: int) -> ResponseReturnValue:
    """Let somebody try again."""
    with database.transaction() as session:
        user = administration.unlock(session, user_id, who=_who())
    flash(f"{user.display_name} can try again.")
    return redirect(url_for(".page"), 303)


@bp.post("/<int:user_id>/password")
@administrators_only
def reset_password(user_id: int) -> ResponseReturnValue:
    """Replace a password and show the new one."""
    with database.transaction() as session:
        user, password = administration.reset_password(session, user_id, who=_who())
    return render_template("accounts/password.html", row=user, password=password, is_new=False)


@bp.post("/<int:user_id>/hand-over")
@administrators_only
def hand_over(user_id: int) -> ResponseReturnValue:
    """Let somebody sign in at the identity provider instead of with a password."""
    issuer = oidc.issuer()
    with database.transaction() as session:
        user = administration.hand_over(session, user_id, issuer, who=_who())
    name = settings.current().oidc_name
    flash(f"{user.display_name} signs in with {name} from now on, as {user.username}.")
    return redirect(url_for(".page"), 303)


def _role() -> Role:
    try:
        return Role(request.form.get("role", ""))
    except ValueError as error:
        raise Invalid(f"The role is one of {', '.join(Role)}.") from error


def _again(user_id: int | None, refusal: str) -> ResponseReturnValue:
    user: User | None = None
    if user_id is not None:
        with database.reading() as session:
            user = administration.existing(session, user_id)
    page = render_template("accounts/form.html", row=user, given=request.form, roles=ROLES, refusal=refusal)
    return page, 422


def _who() -> str:
    return security.person().username
