"""Sign in and out, and the password."""

from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from web import oidc, security
from worklist import accounts, database
from worklist.errors import Invalid

bp = Blueprint("account", __name__)

# One sentence for every reason, or it would tell which user names exist.
REFUSED = (
    f"User name and password do not fit. After {accounts.FAILURES_BEFORE_LOCK} wrong passwords an account is "
    f"closed for {accounts.LOCKED_FOR // timedelta(minutes=1)} minutes."
)


@bp.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Show the sign-in page."""
    return render_template("account/sign_in.html", next=_next())


@bp.post("/sign-in")
def begin() -> ResponseReturnValue:
    """Compare the password, then count the attempt and begin a session."""
    username, password = request.form.get("username", ""), request.form.get("password", "")
    with database.reading() as session:
        attempt = accounts.check(session, username, password)
    with database.transaction() as session:
        user = accounts.sign_in(session, attempt)
    if user is None:
        page = render_template("account/sign_in.html", next=_next(), username=username, refusal=REFUSED)
        return page, 422
    security.begin_session(user)
    return redirect(_next() or url_for("worklist_page.page"))


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session in this browser, or everywhere."""
    everywhere = request.form.get("everywhere") == "yes"
    with database.transaction() as session:
        accounts.sign_out(session, security.person().id, everywhere=everywhere)
    address = oidc.sign_out_address()
    security.end_session()
    flash("You are signed out everywhere." if everywhere else "You are signed out.")
    if address:
        return render_template("account/sign_out.html", address=address)
    return redirect(url_for("account.sign_in"))


@bp.get("/password")
def password() -> ResponseReturnValue:
    """Show the page on which a person changes the password."""
    return render_template("account/password.html")


@bp.post("/password")
def change() -> ResponseReturnValue:
    """Change the password; the session goes on here and ends elsewhere."""
    form = request.form
    try:
        if form.get("new") != form.get("again"):
            raise Invalid("The two new passwords differ.")
        with database.transaction() as session:
            user = accounts.change_password(
                session, security.person().id, present=form.get("present", ""), new=form.get("new", "")
            )
    except Invalid as error:
        return render_template("account/password.html", refusal=str(error)), 422
    security.begin_session(user)
    flash("Your password is changed. Other sessions of yours have ended.")
    return redirect(url_for("worklist_page.page"))


def _next() -> str:
    address = request.values.get("next", "")
    return address if security.is_local(address) else ""
