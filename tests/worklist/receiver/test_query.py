"""C-FIND at study root, asked by DCMTK's findscu, on both databases."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as FIND
from sqlalchemy import update

from tests.both_engines import site
from tests.factories import make_study
from tests.worklist.datasets import make_radiograph
from tests.worklist.receiver.dcmtk import findscu
from tests.worklist.receiver.modality import Site
from worklist import database
from worklist.holdings import search
from worklist.holdings.search import Matches
from worklist.receiver.statuses import Status
from worklist.tables import Source

__all__ = ["site"]

STUDIES: tuple[dict[str, Any], ...] = (
    {
        "StudyInstanceUID": "1.2.1",
        "PatientName": "Müller^Änne",
        "PatientID": "A-1",
        "StudyDate": "20260101",
        "AccessionNumber": "acc_1",
    },
    {
        "StudyInstanceUID": "1.2.2",
        "PatientName": "Mueller^Bernd",
        "PatientID": "A%2",
        "StudyDate": "20260215",
        "AccessionNumber": "ACC-2",
    },
    {"StudyInstanceUID": "1.2.3", "PatientName": "Smith^John", "PatientID": "b[3]", "StudyDate": "20260301"},
)


@pytest.fixture
def held(receiving: Site) -> Site:
    """Three studies; the first has two series, one with two images."""
    for values in STUDIES:
        receiving.store(make_radiograph(**values, SeriesInstanceUID=f"{values['StudyInstanceUID']}.1"))
    first = STUDIES[0]
    receiving.store(make_radiograph(**first, SeriesInstanceUID="1.2.1.1", InstanceNumber=2))
    receiving.store(make_radiograph(**first, SeriesInstanceUID="1.2.1.2", SeriesNumber=7, Modality="CR"))
    return receiving


def found(
    held: Site, folder: Path, level: str = "STUDY", key: str = "StudyInstanceUID", **values: str
) -> list[str]:
    """Query and return the values of one key."""
    answers, said = findscu(held.port, level, folder=folder, **{key: "", **values})
    assert "Success" in said or not answers, said
    return sorted(str(dcmread(path, force=True).get(key)) for path in answers)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, ["1.2.1", "1.2.2", "1.2.3"]),
        ({"PatientID": "A-1"}, ["1.2.1"]),
        ({"PatientID": "a-1"}, []),
        ({"PatientID": "A*"}, ["1.2.1", "1.2.2"]),
        ({"PatientID": "a*"}, []),
        ({"PatientID": "A?2"}, ["1.2.2"]),
        ({"PatientID": "?%?"}, ["1.2.2"]),
        ({"PatientID": "b[[]3*"}, []),
        ({"PatientID": "b[3*"}, ["1.2.3"]),
        ({"PatientName": "muller*"}, ["1.2.1"]),
        ({"PatientName": "M*"}, ["1.2.1", "1.2.2"]),
        ({"PatientName": "smith^john"}, ["1.2.3"]),
        ({"AccessionNumber": "acc_?"}, ["1.2.1"]),
        ({"StudyDate": "20260215"}, ["1.2.2"]),
        ({"StudyDate": "20260201-20260301"}, ["1.2.2", "1.2.3"]),
        ({"StudyDate": "-20260131"}, ["1.2.1"]),
        ({"StudyDate": "20260301-"}, ["1.2.3"]),
        ({"StudyInstanceUID": "1.2.1\\1.2.3\\9.9"}, ["1.2.1", "1.2.3"]),
        ({"ModalitiesInStudy": "CR"}, ["1.2.1"]),
        ({"PatientID": "A*", "StudyDate": "20260101-20260131"}, ["1.2.1"]),
        ({"StudyID": "whatever"}, ["1.2.1", "1.2.2", "1.2.3"]),
    ],
)
def test_studies_are_matched_as_the_standard_says(
    held: Site, tmp_path: Path, keys: dict[str, str], expected: list[str]
) -> None:
    assert found(held, tmp_path, **keys) == expected


def test_series_and_images_are_found_below_their_study(held: Site, tmp_path: Path) -> None:
    series = found(held, tmp_path / "series", "SERIES", "SeriesInstanceUID", StudyInstanceUID="1.2.1")
    assert series == ["1.2.1.1", "1.2.1.2"]
    path = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.1"}
    assert found(held, tmp_path / "images", "IMAGE", "InstanceNumber", **path) == ["1", "2"]


def test_answer_holds_what_was_asked_for_and_where_to_get_it(held: Site, tmp_path: Path) -> None:
    wanted = ("PatientName", "StudyDate", "ModalitiesInStudy", "NumberOfStudyRelatedSeries")
    options = dict.fromkeys((*wanted, "NumberOfStudyRelatedInstances", "StudyTime"), "")
    (path,), _ = findscu(held.port, "STUDY", folder=tmp_path / "answers", StudyInstanceUID="1.2.1", **options)
    answer = dcmread(path, force=True)
    assert str(answer.PatientName) == "Müller^Änne"
    assert (answer.StudyDate, list(answer.ModalitiesInStudy)) == ("20260101", ["CR", "DX"])
    assert (answer.NumberOfStudyRelatedSeries, answer.NumberOfStudyRelatedInstances) == (2, 3)
    assert (answer.RetrieveAETitle, answer.InstanceAvailability) == ("WORKLIST", "ONLINE")
    assert "StudyTime" not in answer
    assert "PatientID" not in answer


def ask(held: Site, **values: Any) -> list[tuple[int, Dataset | None]]:
    """Query with pynetdicom, which shows each status."""
    identifier = Dataset()
    for keyword, value in values.items():
        setattr(identifier, keyword, value)
    with held.association(FIND) as association:
        return [(answer.Status, data_set) for answer, data_set in association.send_c_find(identifier, FIND)]


def test_key_that_is_not_supported_is_said_with_the_status(held: Site) -> None:
    supported = ask(held, QueryRetrieveLevel="STUDY", PatientID="A-1", StudyInstanceUID="")
    assert [status for status, _ in supported] == [Status.PENDING, Status.SUCCESS]
    unsupported = ask(held, QueryRetrieveLevel="STUDY", PatientID="A-1", StudyTime="")
    assert [status for status, _ in unsupported] == [Status.PENDING_WITHOUT_SOME_KEYS, Status.SUCCESS]


@pytest.mark.parametrize(
    "values",
    [
        {"PatientID": "A-1"},
        {"QueryRetrieveLevel": "PATIENT"},
        {"QueryRetrieveLevel": "SERIES", "SeriesInstanceUID": ""},
        {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": "1.2.1"},
        {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": ["1.2.1", "1.2.2"]},
        {"QueryRetrieveLevel": "STUDY", "StudyDate": "yesterday"},
    ],
)
def test_identifier_that_breaks_the_rules_does_not_match_the_class(held: Site, values: dict[str, Any]) -> None:
    assert [status for status, _ in ask(held, **values)] == [Status.DOES_NOT_MATCH]


def test_more_matches_than_the_limit_end_with_out_of_resources(
    held: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_MATCHES", 2)
    statuses = [status for status, _ in ask(held, QueryRetrieveLevel="STUDY", StudyInstanceUID="")]
    assert statuses == [Status.PENDING, Status.PENDING, Status.OUT_OF_RESOURCES]


class _Unhurried(list[Dataset]):
    """Matches that come slowly enough for the peer to have its say between them."""

    def __iter__(self) -> Iterator[Dataset]:
        for match in super().__iter__():
            time.sleep(0.02)
            yield match


def test_cancelled_query_ends_early(held: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.transaction() as session:
        for _ in range(400):
            make_study(session, images=0)
    find = search.find

    def find_unhurried(*arguments: Any) -> Matches:
        matches = find(*arguments)
        return replace(matches, data_sets=_Unhurried(matches.data_sets))

    monkeypatch.setattr(search, "find", find_unhurried)
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", ""
    statuses = []
    with held.association(FIND) as association:
        for answer, _ in association.send_c_find(identifier, FIND, msg_id=5):
            if not statuses:
                association.send_c_cancel(5, query_model=FIND)
            statuses.append(answer.Status)
    assert statuses[-1] == Status.CANCELLED
    assert len(statuses) < 400


def test_source_that_was_switched_off_is_told_nothing(held: Site) -> None:
    with held.association(FIND, ae_title="CURIOUS") as association:
        with database.transaction() as session:
            session.execute(update(Source).where(Source.ae_title == "CURIOUS").values(is_enabled=False))
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "STUDY"
        statuses = [answer.Status for answer, _ in association.send_c_find(identifier, FIND)]
    assert statuses == [Status.NOT_AUTHORISED]


def test_query_is_audited_without_its_keys(held: Site) -> None:
    ask(held, QueryRetrieveLevel="STUDY", PatientID="A-1")
    (event,) = held.events("query.answered")
    assert (event.who, event.detail) == ("MODALITY", {"level": "STUDY", "matches": 1})
