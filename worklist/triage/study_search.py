"""Find studies by the patient's name in any order, by patient ID, by accession number."""

from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, and_, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from worklist.dicom.header import folded
from worklist.dicom.name_words import words
from worklist.tables import Study, StudyName

NARROW_SEARCH = 4000
"""A search that finds fewer studies is cheapest by its own index; one that finds more, in the list's order."""


def cleaned(search: str) -> str:
    """Return what somebody typed without control characters: PostgreSQL cannot even be asked for some."""
    return "".join(char if char.isprintable() else " " for char in search).strip()


def finds_few(session: Session, search: str) -> bool:
    """Say whether a search finds so little that it is read by its own index."""
    some = found(search).limit(NARROW_SEARCH).subquery()
    return (session.scalar(select(func.count()).select_from(some)) or 0) < NARROW_SEARCH


def found(search: str) -> "CompoundSelect[Any]":
    """Select the ids of the studies that a search finds, each part of it by an index of its own."""
    by_number = [select(Study.id).where(condition) for condition in _by_number(search)]
    first, *others = words(folded(search)) or [""]
    if not first:
        return union_all(*by_number)
    by_name = select(StudyName.study_id).where(
        _starts_with(StudyName.words, first),
        *(StudyName.words.contains(f" {word}", autoescape=True) for word in others),
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
