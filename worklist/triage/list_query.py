"""Which studies a list shows and in which order: filters, search, keyset paging."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    String,
    and_,
    literal,
    select,
    true,
    tuple_,
    type_coerce,
)
from sqlalchemy.orm import Session

from worklist import clock
from worklist.errors import Invalid
from worklist.tables import Attention, BodyPart, ReadingState, Result, Study, Turn
from worklist.triage import study_search

STATES = ("open", "unread", "reading", "deferred", "second", "arbitration", "read")
TURNS = {"second": Turn.SECOND, "arbitration": Turn.ARBITRATION}
STRETCHES = (2000, 6000, 16_000)
"""Rows of the list that a broad search looks through, one stretch after the other."""

Place = tuple[int, int]
"""The sort column and the id of a row: where a page ends."""


class Due(StrEnum):
    """How a study that waits stands to its deadline."""

    LATE = "late"
    HOUR = "hour"


@dataclass(frozen=True)
class Filters:
    """What the reader wants to see; everything is combined with *and*.

    ``state`` is one of `STATES`. ``due`` asks for studies that wait and whose time is over, or will be within
    the hour; they come in the order of their deadlines. ``search`` holds beginnings of the words of a name, in
    any order, or the beginning of a patient ID or accession number.
    """

    state: str = "open"
    body_part: BodyPart | None = None
    attention: Attention | None = None
    result: Result | None = None
    due: Due | None = None
    search: str = ""

    @property
    def order(self) -> Any:
        """The column that the list is sorted by."""
        return Study.rank_key if self.due is None else Study.due_key


def study_ids(
    session: Session,
    filters: Filters,
    *,
    after: Place | None = None,
    limit: int,
    only: Sequence[ColumnElement[bool]] = (),
) -> list[int]:
    """Return the ids of the next studies of a list, in its order.

    Only ids, so that no database sorts whole rows, or computes what a row shows, for all that a filter finds.

    Raises
    ------
    Invalid
        If the list has no such state.
    """
    if filters.state not in STATES:
        raise Invalid(f"There is no state {filters.state!r}; the list knows {', '.join(STATES)}.")
    search = study_search.cleaned(filters.search)
    narrow = study_search.narrow(session, search) if search else None
    found: list[int] = []
    if search and narrow is None:
        found, after = _walk(session, _query(filters, after, only), filters.order, search, limit)
        if after is None:
            return found
        narrow = study_search.found(search)
    query = _query(filters, after, only, within=narrow)
    return [*found, *session.scalars(query.limit(limit - len(found)))]


def now_key(ahead: timedelta = timedelta()) -> int:
    """Return the due key of what is due now, or a while ahead."""
    return clock.milliseconds(clock.now() + ahead)


def _query(
    filters: Filters,
    after: Place | None,
    only: Sequence[ColumnElement[bool]],
    within: "CompoundSelect[Any] | None" = None,
) -> "Select[int]":
    query = select(Study.id).where(*_conditions(filters, has_own_index=within is not None), *only)
    if within is not None:
        query = query.where(Study.id.in_(within))
    if after is not None:
        query = query.where(_place(filters.order) > _literal(after))
    return query.order_by(filters.order, Study.id)


def _walk(
    session: Session, query: "Select[int]", order: Any, search: str, limit: int
) -> tuple[list[int], Place | None]:
    """Look through the first stretches of a list for what a broad search finds.

    Returns
    -------
    ids, place
        What was found, and where the last stretch ended; None if enough was found or the list has ended.

    Notes
    -----
    PostgreSQL, asked for all at once, reads and sorts the whole table, since it cannot know how many names fit
    (measured with a million: 330 ms instead of 10). Each stretch ends at a place that an index knows. What is
    not found in all of them is rare together though each of its words is common.
    """
    found: list[int] = []
    begin: Place | None = None
    for stretch in STRETCHES:
        here = query if begin is None else query.where(_place(order) > _literal(begin))
        row = session.execute(here.with_only_columns(order, Study.id).offset(stretch - 1).limit(1)).first()
        within = here if row is None else here.where(_place(order) <= _literal((row[0], row[1])))
        matching = within.where(study_search.matches(search)).limit(limit - len(found))
        found += session.scalars(matching)
        if row is None or len(found) == limit:
            return found, None
        begin = (row[0], row[1])
    return found, begin


def _place(order: Any) -> Any:
    return tuple_(order, Study.id)


def _literal(place: Place) -> Any:
    return tuple_(*map(literal, place))


def _conditions(filters: Filters, *, has_own_index: bool) -> "list[ColumnElement[bool]]":
    conditions = [_in_state(filters.state, has_own_index=has_own_index)]
    values = {
        Study.result: filters.result,
        Study.attention: filters.attention,
        Study.body_part: filters.body_part,
    }
    given = [(column, value) for column, value in values.items() if value is not None]
    for at, (column, value) in enumerate(given):
        # The first leads to an index; the others are written so that none fits. SQLite does not know that few
        # studies have failed, and would take those of one body part first (measured with a million: 400 ms).
        conditions.append((column if at == 0 else type_coerce(column, String).concat("")) == value)
    if filters.due is not None:
        ahead = timedelta(hours=1) if filters.due is Due.HOUR else timedelta()
        conditions += [Study.is_open == true(), Study.due_key < now_key(ahead)]
    return conditions


def _in_state(state: str, *, has_own_index: bool) -> ColumnElement[bool]:
    if has_own_index and state not in TURNS:
        # Written so that no index fits: a search has its own. Offered one by state, SQLite reads all studies of
        # that state in rank order (measured with 100,000: up to 600 ms instead of 0.3 ms).
        word = type_coerce(Study.reading_state, String).concat("")
        return Study.is_open.is_not(False) if state == "open" else word == state
    if state in TURNS:
        return and_(Study.is_open == true(), Study.turn != Turn.FIRST, Study.turn == TURNS[state])
    if state == "open":
        return Study.is_open == true()
    # Written out: a database chooses among the indexes of read studies before it sees a parameter.
    written = literal(ReadingState(state), Study.reading_state.type, literal_execute=True)
    is_it = Study.reading_state == written
    return is_it if state == "read" else and_(Study.is_open == true(), is_it)
