"""The one place where an error becomes an answer: a page for a person, JSON for a script."""

import traceback

from flask import Flask, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from web import security
from worklist import logs
from worklist.errors import Conflict, Invalid, NotFound, Unavailable, WorklistError

log = logs.logger(__name__)

STATUSES: tuple[tuple[type[WorklistError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (Invalid, 422),
    (Unavailable, 503),
)
TITLES = {
    400: "Not understood",
    401: "Signed out",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    409: "Somebody was faster",
    413: "Too large",
    422: "Not valid",
    500: "Something went wrong",
    503: "Not available at the moment",
}
SENTENCES = {
    404: "There is no such page. The address may be mistyped, or the study may have been removed.",
    405: "This address does not take that kind of request.",
    413: "What was sent is too large.",
}


def register(app: Flask) -> None:
    """Answer every error in words."""
    app.register_error_handler(WorklistError, _known)
    app.register_error_handler(CSRFError, _expired)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unknown)


def _known(error: WorklistError) -> ResponseReturnValue:
    status = next((code for family, code in STATUSES if isinstance(error, family)), 500)
    if status >= 500:
        log.error("request failed", endpoint=request.endpoint, error=str(error))
    return _answer(status, str(error))


def _expired(_error: CSRFError) -> ResponseReturnValue:
    return _answer(
        400, "This page was open too long or comes from an earlier sign-in. Reload it and try again."
    )


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error
    status = error.code or 500
    # Werkzeug's own sentences are for developers; ours, given to abort(), are for people.
    own = error.description if error.description != type(error).description else None
    response = make_response(_answer(status, own or SENTENCES.get(status, error.name + ".")))
    if challenge := getattr(error, "www_authenticate", None):
        response.headers["WWW-Authenticate"] = ", ".join(map(str, challenge))
    if status == 405:
        response.headers["Allow"] = ", ".join(getattr(error, "valid_methods", None) or ())
    return response


def _unknown(error: Exception) -> ResponseReturnValue:
    # Only the type and the place: the text of a database error quotes values, such as a patient's name.
    place = "".join(traceback.format_tb(error.__traceback__))
    log.error("request failed", endpoint=request.endpoint, error=type(error).__name__, place=place)
    return _answer(500, "The server made a mistake, and it has been logged. Nothing you did was saved halfway.")


def _answer(status: int, sentence: str) -> ResponseReturnValue:
    if request.path.startswith("/api/v1/") or not security.wants_page():
        return jsonify(error=sentence), status
    page = render_template(
        "errors/error.html", status=status, title=TITLES.get(status, "Error"), sentence=sentence
    )
    return page, status
