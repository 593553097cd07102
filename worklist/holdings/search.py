"""Find what is held: data sets that answer a query, and the files that answer a retrieval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from worklist.errors import Invalid
from worklist.holdings.attributes import COLUMNS, CONTROL, COUNTED, PATH, UNIQUE_KEYS, Level
from worklist.holdings.matching import conditions, level_of, values_of
from worklist.tables import Instance, Series, Study

MOST_MATCHES = 1000
MOST_FILES = 65535
"""The largest number of sub-operations that can be said (PS3.7 9.3.3.2, value representation US)."""


class TooMany(Invalid):
    """More is held than can be answered; the request has to be narrowed."""


@dataclass(frozen=True)
class Matches:
    """What answers a query.

    Attributes
    ----------
    is_cut : bool
        There are more than can be answered.
    has_all_keys : bool
        Every key of the request is one that we have.
    """

    data_sets: tuple[Dataset, ...]
    is_cut: bool
    has_all_keys: bool


@dataclass(frozen=True)
class HeldFile:
    """A file that is held, and what a receiver of it must accept."""

    file_path: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def find(session: Session, identifier: Dataset, retrieve_ae_title: str) -> Matches:
    """Return the data sets that match an identifier.

    Raises
    ------
    Invalid
        If the identifier breaks the rules of the information model.
    """
    level = level_of(identifier)
    statement = _select(level).where(*conditions(session, identifier, level)).limit(MOST_MATCHES + 1)
    rows = session.execute(statement).all()
    is_cut, rows = len(rows) > MOST_MATCHES, rows[:MOST_MATCHES]
    keys = {element.keyword for element in identifier if element.keyword}
    counted = _counted(session, level, [row[-1].id for row in rows], keys)
    data_sets = [_answer(row, level, keys, counted) for row in rows]
    for data_set in data_sets:
        data_set.RetrieveAETitle = retrieve_ae_title
    return Matches(tuple(data_sets), is_cut, not keys - _known_keys(level))


def files(session: Session, identifier: Dataset) -> list[HeldFile]:
    """Return the current files of what an identifier names by unique keys.

    Raises
    ------
    Invalid
        If it names nothing.
    TooMany
        If it names more files than can be counted in an answer.
    """
    level = level_of(identifier)
    if not values_of(identifier, UNIQUE_KEYS[level]):
        raise Invalid(f"A retrieval at level {level} needs {UNIQUE_KEYS[level]}.")
    columns = {keyword: column for each in COLUMNS.values() for keyword, column in each.items()}
    statement = _select(Level.IMAGE)
    for keyword in (*PATH[level], UNIQUE_KEYS[level]):
        statement = statement.where(columns[keyword].in_(values_of(identifier, keyword)))
    rows = session.execute(statement.limit(MOST_FILES + 1)).all()
    if len(rows) > MOST_FILES:
        raise TooMany(f"More than {MOST_FILES} images: ask for less at once.")
    return [
        HeldFile(row.file_path, row.sop_class_uid, row.sop_instance_uid, row.transfer_syntax_uid)
        for _, _, row in rows
    ]


def _select(level: Level) -> Any:
    """Select the rows of a level with those above them; replaced versions of images are not held any more."""
    if level is Level.STUDY:
        return select(Study).order_by(Study.id)
    if level is Level.SERIES:
        return select(Study, Series).join(Series, Series.study_id == Study.id).order_by(Series.id)
    return (
        select(Study, Series, Instance)
        .join(Series, Series.study_id == Study.id)
        .join(Instance, Instance.series_id == Series.id)
        .where(Instance.is_current)
        .order_by(Instance.id)
    )


def _known_keys(level: Level) -> set[str]:
    return {*COLUMNS[level], *COUNTED[level], *PATH[level], *CONTROL, "RetrieveAETitle", "InstanceAvailability"}


def _answer(row: Sequence[Any], level: Level, keys: set[str], counted: dict[int, dict[str, Any]]) -> Dataset:
    answer = Dataset()
    for table, columns in zip(row, COLUMNS.values(), strict=False):
        for keyword, column in columns.items():
            if keyword in keys and (keyword in COLUMNS[level] or keyword in PATH[level]):
                name = "patient_name" if keyword == "PatientName" else column.key
                setattr(answer, keyword, getattr(table, name))
    for keyword, value in counted.get(row[-1].id, {}).items():
        setattr(answer, keyword, value)
    answer.QueryRetrieveLevel = str(level)
    answer.InstanceAvailability = "ONLINE"
    # Which value is not of the default repertoire is not asked: UTF-8 holds all of them.
    answer.SpecificCharacterSet = "ISO_IR 192"
    return answer


def _counted(session: Session, level: Level, ids: list[int], keys: set[str]) -> dict[int, dict[str, Any]]:
    wanted = keys & set(COUNTED[level])
    if not wanted:
        return {}
    owner = Series.study_id if level is Level.STUDY else Series.id
    statement = (
        select(owner, Series.modality, func.count(Series.id.distinct()), func.count(Instance.id))
        .join(Instance, Instance.series_id == Series.id)
        .where(Instance.is_current, owner.in_(ids))
        .group_by(owner, Series.modality)
        .order_by(Series.modality)
    )
    found: dict[int, dict[str, Any]] = {}
    for owner_id, modality, series, instances in session.execute(statement):
        values = found.setdefault(
            owner_id,
            {
                "ModalitiesInStudy": [],
                "NumberOfStudyRelatedSeries": 0,
                "NumberOfStudyRelatedInstances": 0,
                "NumberOfSeriesRelatedInstances": 0,
            },
        )
        values["ModalitiesInStudy"].append(modality)
        values["NumberOfStudyRelatedSeries"] += series
        values["NumberOfStudyRelatedInstances"] += instances
        values["NumberOfSeriesRelatedInstances"] += instances
    return {owner_id: {key: values[key] for key in wanted} for owner_id, values in found.items()}
