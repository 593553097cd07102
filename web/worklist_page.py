"""The ranked list: the page, and the fragment that keeps it up to date."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from web import security
from web.shown import duration
from worklist import archive, clock, database, settings
from worklist.errors import Invalid, Unavailable
from worklist.reading.first_opinion import READERS
from worklist.tables import Attention, BodyPart, Result, Role
from worklist.triage import ranked_list, saved_views
from worklist.triage.list_query import Due, Filters
from worklist.triage.policy import current_policy
from worklist.triage.ranked_list import COUNT_LIMIT, Counts, RankedPage, RankedRow
from worklist.triage.saved_views import View

bp = Blueprint("worklist_page", __name__)

Word = TypeVar("Word", bound=StrEnum)
PAGE_ROWS = 50

# The words of the enumerations on this page; the templates have no others.
STATES = {
    "open": "Waiting",
    "unread": "Unread",
    "reading": "Being read",
    "deferred": "Deferred",
    "second": "For a second reader",
    "arbitration": "For arbitration",
    "read": "Read",
}
ATTENTIONS = {
    Attention.FLAGGED: "Flagged",
    Attention.LOOK_CLOSER: "Look closer",
    Attention.NONE: "Neither",
}
RESULTS = {
    Result.SCORED: "Scored",
    Result.WAITING: "Not scored yet",
    Result.FAILED: "Failed",
    Result.OUT_OF_SCOPE: "Out of scope",
    Result.NO_CLASSIFIER: "No classifier",
}
DUES = {Due.LATE: "Late", Due.HOUR: "Within the hour"}
WORDS = {"states": STATES, "attentions": ATTENTIONS, "results": RESULTS, "dues": DUES, "parts": tuple(BodyPart)}

# The columns that a person can leave out; place, score, flag, patient and state are always there.
COLUMNS = {
    "id": "Patient ID",
    "accession": "Accession number",
    "part": "Body part",
    "studied": "Study date",
    "images": "Images",
    "waiting": "Waiting",
    "why": "Why here",
}
USUAL_COLUMNS = ("id", "part", "images", "waiting", "why")
SOON = timedelta(hours=1)


@dataclass(frozen=True)
class Shown:
    """What one request for the list shows.

    ``query`` holds the filters as they stand in the address, ``place`` also the page. A search is part of
    the address so that it survives reloading and going back; that is why no log line holds a query string.
    ``trouble`` says in a sentence why no images can arrive, and is empty when they can.
    """

    filters: Filters
    query: dict[str, str]
    place: dict[str, str]
    first_number: int
    page: RankedPage
    counts: Counts
    trouble: str = ""
    is_hidden: bool = False
    columns: Sequence[str] = USUAL_COLUMNS
    views: Sequence[View] = ()

    @property
    def hidden_until(self) -> str:
        """When a reader sees what the classifier says of a study; empty: at once."""
        if not self.is_hidden:
            return ""
        return "your first opinion" if settings.current().anti_bias else "it is read"

    @property
    def version(self) -> str:
        """A short name of what is shown, without waiting times; the same as long as nothing changed."""
        shown = (self.page, self.counts, bool(self.trouble), self.columns)
        return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


@bp.get("/")
@security.role(*security.VIEWERS, Role.AUDITOR)
def page() -> ResponseReturnValue:
    """Show the ranked list, and to auditors what they are here for."""
    if security.person().role is Role.AUDITOR:
        return redirect(url_for("audit.page"))
    return render_template(
        "worklist_page/page.html", shown=_shown(with_views=True), words=WORDS, columns=COLUMNS
    )


@bp.get("/rows")
@security.role(*security.VIEWERS)
def rows() -> ResponseReturnValue:
    """Answer the poll of an open list: its rows anew, or 204 while nothing has changed."""
    shown = _shown()
    if request.args.get("v") == shown.version:
        return "", 204
    return render_template("worklist_page/rows.html", shown=shown, words=WORDS, columns=COLUMNS)


def filters_from(arguments: "MultiDict[str, str]") -> Filters:
    """Read the filters that an address carries.

    Raises
    ------
    Invalid
        If it names something that the list does not have.
    """
    return Filters(
        state=_one_of(STATES, arguments.get("state") or "open", "state"),
        body_part=_word(BodyPart, arguments, "part"),
        attention=_word(Attention, arguments, "attention"),
        result=_word(Result, arguments, "result"),
        due=_word(Due, arguments, "due"),
        search=arguments.get("q", "").strip(),
    )


def query_of(filters: Filters) -> dict[str, str]:
    """Return filters as an address carries them; whatever is not filtered is left out."""
    values = {
        "state": "" if filters.state == "open" else filters.state,
        "part": filters.body_part,
        "attention": filters.attention,
        "result": filters.result,
        "due": filters.due,
        "q": filters.search,
    }
    return {name: str(value) for name, value in values.items() if value}


def _shown(*, with_views: bool = False) -> Shown:
    person = security.person()
    filters = filters_from(request.args)
    after = request.args.get("after") or None
    number = max(request.args.get("page", 1, type=int), 1) if after else 1
    with database.reading() as session:
        policy = current_policy(session)
        # In anti-bias mode, and while there is a control arm, readers see the order and not what it comes from.
        is_hidden = (settings.current().anti_bias or policy.has_control_arm) and person.role in READERS
        if is_hidden:
            filters = replace(filters, attention=None)
        found = ranked_list.ranked_page(session, filters, after=after, limit=PAGE_ROWS, policy=policy)
        counts = ranked_list.counts(session)
        views = saved_views.views(session, person.id, person.role) if with_views else ()
    query = query_of(filters)
    place = {**query, "after": after, "page": str(number)} if after else query
    return Shown(
        filters,
        query,
        place,
        (number - 1) * PAGE_ROWS + 1,
        found,
        counts,
        trouble=_trouble(),
        is_hidden=is_hidden,
        columns=person.preferences.get("columns", USUAL_COLUMNS),
        views=views,
    )


def _trouble() -> str:
    """Return why the receiver refuses images at the moment."""
    try:
        archive.check_space()
    except Unavailable as error:
        return f"New images are refused. {error} Reception resumes by itself when there is room."
    return ""


def _word(words: type[Word], arguments: "MultiDict[str, str]", name: str) -> Word | None:
    value = arguments.get(name)
    return words(_one_of([word.value for word in words], value, name)) if value else None


def _one_of(allowed: Any, value: str, name: str) -> str:
    if value not in allowed:
        raise Invalid(f"The list has no {name} {value!r}; it knows {', '.join(allowed)}.")
    return value


@bp.app_template_filter()
def due_words(row: RankedRow) -> str:
    """Say how a study stands to its deadline; ``worklist_page.js`` goes on counting."""
    over = (row.read_at or clock.now()) - row.due_at
    if row.read_at is not None:
        return "read in time" if over <= timedelta() else f"read {duration(over)} late"
    return f"{duration(over)} late" if over > timedelta() else f"due in {duration(-over)}"


@bp.app_template_filter()
def due_state(row: RankedRow) -> str:
    """Return ``late``, ``soon`` or ``ok``."""
    left = row.due_at - (row.read_at or clock.now())
    if left < timedelta():
        return "late"
    return "soon" if left < SOON and row.read_at is None else "ok"


@bp.app_template_filter()
def capped(count: int) -> str:
    """Return a count as the list shows it: counting stops, since nobody works through more."""
    return str(count) if count <= COUNT_LIMIT else f"{COUNT_LIMIT}+"
