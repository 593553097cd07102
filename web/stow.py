"""STOW-RS: instances from senders that speak web, with the password of an account of role service.

References
----------
PS3.18 10.5 (Store Transaction), F.2 (DICOM JSON); RFC 7617 (basic authentication).
"""

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from flask import Blueprint, Response, abort, request
from werkzeug.datastructures import WWWAuthenticate

from web.security import forms
from worklist import accounts, database
from worklist.errors import Invalid
from worklist.intake import sources
from worklist.receiver.keeping import Sender
from worklist.receiver.multipart import Multipart
from worklist.receiver.spool import Overflow
from worklist.receiver.web_store import PartResult, store_parts
from worklist.settings import current
from worklist.tables import Role

bp = Blueprint("stow", __name__)
forms.exempt(bp)

LONGEST_AE_TITLE = 16
UNLIMITED_BYTES = 2**62


@bp.post("/dicom-web/studies", defaults={"study_instance_uid": ""})
@bp.post("/dicom-web/studies/<study_instance_uid>")
def store(study_instance_uid: str) -> Response:
    """Keep the instances of a multipart body; the answer says what became of each."""
    sender = _sender()
    body = _body()
    results: list[PartResult] = []
    try:
        results.extend(store_parts(sender, body, study_instance_uid))
    except Overflow:
        abort(413, "A part is larger than WORKLIST_MAXIMUM_OBJECT_BYTES permits.")
    except Invalid as error:
        abort(400, str(error))
    return _answer(results)


def _sender() -> Sender:
    """Return who sends: the account's name in capitals, from the address of the connection."""
    username = _username()
    title, address = username.upper()[:LONGEST_AE_TITLE], sources.canonical(request.remote_addr or "")
    with database.transaction() as session:
        sources.welcome(session, title, address, who=username)
    return Sender(calling=title, called=current().ae_title, address=address)


def _username() -> str:
    """Return whose password came with the request."""
    given = request.authorization
    if given is None or given.type != "basic" or not given.username:
        _ask_for_password()
    with database.reading() as session:
        attempt = accounts.check(session, given.username, given.password or "")
    with database.transaction() as session:
        user = accounts.sign_in(session, attempt)
    if user is None:
        _ask_for_password()
    if user.role is not Role.SERVICE or user.must_change_password:
        abort(403, "Storing needs an account of role service, whose first password has been changed.")
    return user.username


def _ask_for_password() -> NoReturn:
    answer = Response("Storing needs the password of an account of role service.\n", 401)
    answer.www_authenticate = WWWAuthenticate("basic", {"realm": "Worklist"})
    abort(answer)


def _body() -> Multipart:
    options = request.mimetype_params
    if request.mimetype != "multipart/related" or options.get("type", "").lower() != "application/dicom":
        abort(415, 'Only multipart/related with type="application/dicom" can be stored.')
    # The parts have a limit of their own, WORKLIST_MAXIMUM_OBJECT_BYTES; their number has none.
    request.max_content_length = UNLIMITED_BYTES
    try:
        return Multipart(request.stream.read, options.get("boundary", ""))
    except Invalid as error:
        abort(400, str(error))


def _answer(results: Sequence[PartResult]) -> Response:
    """Return the Store Instances Response (PS3.18 10.5.3, Table 10.5.3-1)."""
    stored = [each for each in results if each.is_stored]
    is_plain = len(stored) == len(results) and not any(each.has_warning for each in results)
    status = 200 if is_plain else 202 if stored else 409
    if not results:
        abort(400, "The body has no parts.")
    answer: dict[str, Any] = {}
    sequences = {
        "00081198": [_failed(each) for each in results if not each.is_stored and each.sop_instance_uid],
        "00081199": [{**_item(each), **_warning(each)} for each in stored],
        "0008119A": [_reason(each) for each in results if not each.is_stored and not each.sop_instance_uid],
    }
    for tag, items in sequences.items():
        if items:
            answer[tag] = {"vr": "SQ", "Value": items}
    return Response(json.dumps(answer), status, mimetype="application/dicom+json")


def _item(result: PartResult) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [result.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [result.sop_instance_uid]},
    }


def _failed(result: PartResult) -> dict[str, Any]:
    return {**_item(result), **_reason(result)}


def _warning(result: PartResult) -> dict[str, Any]:
    return {"00081196": {"vr": "US", "Value": [int(result.status)]}} if result.has_warning else {}


def _reason(result: PartResult) -> dict[str, Any]:
    return {"00081197": {"vr": "US", "Value": [int(result.status)]}}
