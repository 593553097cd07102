"""The interface for people: its document as a page and as OpenAPI, and each person's tokens."""

from typing import Any, cast

from flask import (
    Blueprint,
    current_app,
    flash,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_openapi3.openapi import OpenAPI
from pydantic import ValidationError

from web import security
from worklist import clock, database
from worklist.accounts import tokens
from worklist.accounts.tokens import Scope
from worklist.errors import Invalid

bp = Blueprint("api_pages", __name__)

SCOPES = {
    Scope.STUDIES: "See the list and the studies in it",
    Scope.VERDICTS: "Open, judge and put off studies",
}
USUAL_DAYS = 90


@bp.get("/api")
def page() -> ResponseReturnValue:
    """Describe every endpoint."""
    return render_template("api/page.html", document=_document())


@bp.get("/api/openapi.json")
def document() -> ResponseReturnValue:
    """Give the OpenAPI document."""
    return jsonify(_document())


@bp.get("/account/tokens")
def own() -> ResponseReturnValue:
    """Show this person's tokens."""
    return _page()


@bp.post("/account/tokens")
def create() -> ResponseReturnValue:
    """Make a token and show its secret, once."""
    form = request.form
    try:
        days = int(form.get("days", ""))
    except ValueError as error:
        raise Invalid("The number of days is not a whole number.") from error
    with database.transaction() as session:
        row, secret = tokens.create(
            session, security.person().id, form.get("name", ""), form.getlist("scope"), days
        )
        name = row.name
    return _page(secret=secret, name=name)


@bp.post("/account/tokens/<int:token_id>/revoke")
def revoke(token_id: int) -> ResponseReturnValue:
    """Remove a token."""
    with database.transaction() as session:
        tokens.revoke(session, token_id, security.person().id)
    flash("The token is revoked: whoever shows it is refused from now on.")
    return redirect(url_for(".own"), 303)


def refuse(error: ValidationError) -> Any:
    """Say in a sentence what is wrong with a request; the value itself may name a patient."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or "the body"
    return make_response(jsonify(error=f"{place}: {first['msg']}."), 422)


def _page(**shown: Any) -> ResponseReturnValue:
    with database.reading() as session:
        rows = tokens.tokens(session, security.person().id)
    return render_template(
        "api/tokens.html", tokens=rows, scopes=SCOPES, days=USUAL_DAYS, now=clock.now(), **shown
    )


def _document() -> dict[str, Any]:
    return cast(dict[str, Any], cast(OpenAPI, current_app).api_doc)
