"""Values of keys → conditions.

References
----------
PS3.4 C.2.2.2: single value, list of UID, universal, wild card and range matching.
"""

import re
from typing import Any

from pydicom.dataset import Dataset
from sqlalchemy import ColumnElement, false, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from worklist.dicom.header import folded
from worklist.errors import Invalid
from worklist.holdings.attributes import COLUMNS, DATES, NUMBERS, PATH, UIDS, Level
from worklist.tables import Series, Study

DATE = re.compile(r"[0-9]{8}", re.ASCII)


def level_of(identifier: Dataset) -> Level:
    """Return the level of a request.

    Raises
    ------
    Invalid
        If it is none of ours, or one of the keys of the levels above has not exactly one value.
    """
    given = text_of(identifier, "QueryRetrieveLevel")
    if given not in set(Level):
        raise Invalid(f"(0008,0052) QueryRetrieveLevel is {given or 'missing'}, not STUDY, SERIES or IMAGE.")
    level = Level(given)
    for keyword in PATH[level]:
        if len(values_of(identifier, keyword)) != 1:
            raise Invalid(f"At level {level} the identifier needs one value of {keyword}.")
    return level


def conditions(session: Session, identifier: Dataset, level: Level) -> list[ColumnElement[bool]]:
    """Return what rows must fulfil; keys that are empty or that we do not have match everything.

    Raises
    ------
    Invalid
        If a date is none.
    """
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    found = [
        condition
        for keyword, column in _columns(level).items()
        if (condition := _condition(keyword, column, identifier, is_sqlite=is_sqlite)) is not None
    ]
    if level is Level.STUDY and (modalities := values_of(identifier, "ModalitiesInStudy")):
        of_study = select(Series.id).where(Series.study_id == Study.id, Series.modality.in_(modalities))
        found.append(of_study.exists())
    return found


def text_of(identifier: Dataset, keyword: str) -> str:
    """Return the value of a key as text; several values stay joined with a backslash."""
    return "\\".join(values_of(identifier, keyword))


def values_of(identifier: Dataset, keyword: str) -> list[str]:
    """Return the values of a key that are not empty."""
    value: Any = identifier.get(keyword)
    items = [] if value is None else [value] if isinstance(value, str) or not _is_many(value) else list(value)
    return [text for item in items if (text := str(item).strip())]


def _is_many(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue"


def _columns(level: Level) -> dict[str, InstrumentedAttribute[Any]]:
    """Return the columns that are matched: those of the level, and the unique keys of the levels above."""
    above = {
        keyword: column
        for columns in COLUMNS.values()
        for keyword, column in columns.items()
        if keyword in PATH[level]
    }
    return {**above, **COLUMNS[level]}


def _condition(
    keyword: str, column: InstrumentedAttribute[Any], identifier: Dataset, *, is_sqlite: bool
) -> ColumnElement[bool] | None:
    text = text_of(identifier, keyword)
    if not text or text == "*":
        return None
    if keyword in UIDS:
        return column.in_(values_of(identifier, keyword))
    if keyword in DATES:
        return _range(keyword, column, text)
    if keyword in NUMBERS:
        return column == int(text) if re.fullmatch(r"[+-]?[0-9]{1,9}", text, re.ASCII) else false()
    if keyword == "PatientName":
        text = folded(text)  # PS3.4 C.2.2.2.1: names may be compared without case and accents
    return _like(column, text, is_sqlite=is_sqlite) if {"*", "?"} & set(text) else column == text


def _range(keyword: str, column: InstrumentedAttribute[Any], text: str) -> ColumnElement[bool]:
    first, dash, last = text.partition("-")
    for date in filter(None, (first, last)):
        if not DATE.fullmatch(date):
            raise Invalid(f"{keyword} is no date YYYYMMDD and no range of two.")
    if not dash:
        return column == first
    known = column != ""
    if first and last:
        return known & column.between(first, last)
    return known & (column >= first if first else column <= last)


def _like(column: InstrumentedAttribute[Any], text: str, *, is_sqlite: bool) -> ColumnElement[bool]:
    """Compare with wild cards, in both engines with regard to case."""
    if is_sqlite:
        # LIKE disregards case there; GLOB has our wild cards, and brackets of its own.
        pattern: ColumnElement[bool] = column.op("GLOB", is_comparison=True)(text.replace("[", "[[]"))
        return pattern
    escaped = re.sub(r"([\\%_])", r"\\\1", text).replace("*", "%").replace("?", "_")
    return column.like(escaped, escape="\\")
