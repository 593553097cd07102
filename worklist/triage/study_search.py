"""Find studies by the patient's name in any order, by patient ID, by accession number."""

from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, and_, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from worklist.dicom.header import folded
from worklist.dicom.name_words import words
from worklist.tables import Study, StudyName

NARROW_SEARCH = 8000
"""A search that finds fewer studies is cheapest by its own index; one that finds more, in the list's order."""
RARE_WORD = 16_000
"""Of several words, one that begins fewer names than this leads the search."""


def cleaned(search: str) -> str:
    """Return what somebody typed without control characters: PostgreSQL cannot even be asked for some."""
    return "".join(char if char.isprintable() else " " for char in search).strip()


def narrow(session: Session, search: str) -> "CompoundSelect[Any] | None":
    """Select the ids of the studies that a search finds, each part of it by an index of its own.

    None if it finds so many that they are found faster in the order of the list, with `matches`.
    """
    given = words(folded(search))
    leading = _rarest(session, given)
    if given and leading is None:
        return None
    few = _found(search, given, leading)
    some = few.limit(NARROW_SEARCH).subquery()
    count: int = session.scalar(select(func.count()).select_from(some)) or 0
    return few if count < NARROW_SEARCH else None


def found(search: str) -> "CompoundSelect[Any]":
    """Select the ids of all studies that a search finds, however many names have to be looked at."""
    given = words(folded(search))
    return _found(search, given, max(given, key=len, default=None))


def _rarest(session: Session, given: list[str]) -> str | None:
    """Return the word that begins the fewest names; None if each of several begins many."""
    if len(given) < 2:
        return given[0] if given else None
    some = [
        select(StudyName.study_id).where(_starts_with(StudyName.words, word)).limit(RARE_WORD).subquery()
        for word in given
    ]
    counts = session.execute(
        select(*(select(func.count()).select_from(one).scalar_subquery() for one in some))
    ).one()
    fewest, word = min(zip(counts, given, strict=True))
    return str(word) if fewest < RARE_WORD else None


def _found(search: str, given: list[str], leading: str | None) -> "CompoundSelect[Any]":
    by_number = [select(Study.id).where(condition) for condition in _by_number(search)]
    if leading is None:
        return union_all(*by_number)
    by_name = select(StudyName.study_id).where(
        _starts_with(StudyName.words, leading),
        *(StudyName.words.contains(f" {word}", autoescape=True) for word in given if word != leading),
    )
    return union_all(by_name, *by_number)


def matches(search: str) -> ColumnElement[bool]:
    """Say of a row whether a search finds it, for searches that find much: they are read in rank order."""
    name: Any = literal(" ") + Study.patient_name_folded
    for between in "^=,":
        name = func.replace(name, between, " ")
    by_name = [name.contains(f" {word}", autoescape=True) for word in words(folded(search))]
    return or_(*([and_(*by_name)] if by_name else []), *_by_number(search))


def _by_number(search: str) -> "list[ColumnElement[bool]]":
    numbers = (Study.patient_id, Study.accession_number)
    return [_starts_with(column, value) for value in sorted({search, search.upper()}) for column in numbers]


def _starts_with(column: Any, prefix: str) -> ColumnElement[bool]:
    # A range uses the plain index in both engines; LIKE would not on SQLite.
    return and_(column >= prefix, column < prefix + "\U0010ffff")
