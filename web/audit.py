"""The page on which auditors and administrators read what was done, and the same as a table to download."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from web import security
from web.api.shapes import LARGEST_ID
from worklist import audit, database
from worklist.audit import ACTIONS, Wanted
from worklist.errors import Invalid
from worklist.tables import AuditEvent, Role

bp = Blueprint("audit", __name__, url_prefix="/audit")

allowed_only = security.role(Role.AUDITOR, Role.ADMINISTRATOR)

PAGE_ROWS = 100
CHUNK = 2000
FILTERS = ("who", "action", "about", "since", "until")
COLUMNS = ("id", "at", "who", "action", "about", "about_id", "detail")


@bp.get("")
@allowed_only
def page() -> ResponseReturnValue:
    """Show events, the newest first."""
    given = _given()
    wanted = _wanted(given)
    before = _before()
    with database.reading() as session:
        found = audit.events(session, wanted, before_id=before, limit=PAGE_ROWS + 1)
    return render_template(
        "audit/page.html",
        events=found[:PAGE_ROWS],
        next_before=found[PAGE_ROWS - 1].id if len(found) > PAGE_ROWS else None,
        given=given,
        query={name: value for name, value in given.items() if value},
        is_later_page=before is not None,
        actions=ACTIONS,
    )


@bp.get("/events.csv")
@allowed_only
def table() -> ResponseReturnValue:
    """Send all events that are asked for as comma-separated values (RFC 4180)."""
    given = _given()
    wanted = _wanted(given)
    asked = {name: value for name, value in given.items() if value}
    with database.transaction() as session:
        audit.record(session, security.person().username, "audit.exported", about=("audit", None), asked=asked)
    headers = {"Content-Disposition": 'attachment; filename="worklist-audit.csv"'}
    return Response(_lines(wanted), mimetype="text/csv", headers=headers)


def _given() -> dict[str, str]:
    return {name: request.args.get(name, "").strip() for name in FILTERS}


def _before() -> int | None:
    text = request.args.get("before", "")
    if not text:
        return None
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):  # any more would be larger than a column
        raise Invalid(f"{text[:60]!r} is not a place in this list.")
    return int(text)


def _lines(wanted: Wanted) -> Iterator[str]:
    before = None
    yield _line(COLUMNS)
    while True:
        with database.reading() as session:
            found = audit.events(session, wanted, before_id=before, limit=CHUNK)
        for event in found:
            detail = json.dumps(event.detail, ensure_ascii=False, sort_keys=True)
            at = event.at.isoformat(timespec="milliseconds")
            yield _line((event.id, at, event.who, event.action, event.about_type, event.about_id, detail))
        if len(found) < CHUNK:
            return
        before = found[-1].id


def _line(values: tuple[Any, ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([_harmless(value) for value in values])
    return text.getvalue()


def _harmless(value: Any) -> Any:
    # An AE title may begin like a formula, which a spreadsheet would compute.
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t"))
    return f"'{value}" if is_formula else value


def _wanted(given: dict[str, str]) -> Wanted:
    if given["action"] and given["action"] not in ACTIONS:
        raise Invalid(f"There is no action {given['action']!r}.")
    kind, _, number = given["about"].partition(" ")
    number = number.strip()
    if number and not (number.isascii() and number.isdecimal() and int(number) <= LARGEST_ID):
        raise Invalid(f"What it is about is a kind and a number, such as study 17, not {given['about']!r}.")
    until = _day(given["until"])
    return Wanted(
        who=given["who"] or None,
        action=given["action"] or None,
        about_type=kind or None,
        about_id=int(number) if number else None,
        since=_day(given["since"]),
        until=until + timedelta(days=1) if until else None,
    )


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{text!r} is no day; write it like 2026-03-31.") from error
    # The last day that has a next one.
    return datetime.combine(min(day, date.max - timedelta(days=1)), time(), tzinfo=UTC)


@bp.app_template_filter()
def detail_words(event: AuditEvent) -> str:
    """Return the detail of an event as one line, ``name: value``."""
    told = {name: value for name, value in event.detail.items() if value not in (None, "", [], {})}
    return "; ".join(
        f"{name.replace('_', ' ')}: {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in told.items()
    )
