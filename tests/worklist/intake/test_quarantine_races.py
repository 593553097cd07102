"""What two processes, or a crash, do to one file of the quarantine; on both databases."""

from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import RecordedJobs
from tests.web.administration import PATIENT, hold_images
from worklist import archive, clock, database
from worklist.archive import Kept
from worklist.dicom.header import read_header
from worklist.intake import decisions, quarantine, sources
from worklist.intake.identity import WrongPatient
from worklist.receiver import ownership, recovery
from worklist.settings import Settings
from worklist.tables import Instance, Quarantined, QuarantineState
from worklist.triage.policy import first_place

LONG_ENOUGH = 3.0
"""Seconds in which a start that need not wait for anybody is over."""


@pytest.fixture
def held(site: Settings, sent_jobs: RecordedJobs) -> int:
    """An image of another patient, of a known source."""
    with database.transaction() as session:
        sources.add(session, "CR-ROOM1", "10.0.0.7", who="adam")
    return hold_images("CR-ROOM1", "10.0.0.7")[0]


def row(quarantined_id: int) -> Quarantined:
    with database.reading() as session:
        return session.get_one(Quarantined, quarantined_id)


def instances() -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Instance.file_path)))


def kept_files() -> list[str]:
    return list(archive.files_since(clock.now().date()))


def hold(quarantined_id: int, *, is_found: bool) -> None:
    """Make the row of a file once more, as its receiver does or as a start that found it does."""
    file = row(quarantined_id)
    kept = Kept(file.file_path, file.sha256, file.file_bytes)
    header = None if is_found else read_header(archive.path_of(file.file_path))
    with database.transaction() as session:
        source = None if is_found else sources.add(session, "CR-ROOM1", "10.0.0.7", who="adam")
        quarantine.hold(session, kept, header, why=WrongPatient("Another patient."), source=source)


def test_receiver_that_starts_leaves_an_image_alone_that_is_being_filed(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    register, start = decisions.register, Thread(target=recovery.recover)

    def register_later(*arguments: Any, **options: Any) -> Any:
        start.start()
        start.join(LONG_ENOUGH)
        return register(*arguments, **options)

    monkeypatch.setattr(decisions, "register", register_later)
    with database.transaction() as session:
        decisions.file_in_study(
            session,
            held,
            who="adam",
            note="It is right.",
            first_place=first_place,
            owner=ownership.own_name(),
        )
    start.join()
    assert [archive.has(path) for path in instances()] == [True, True]
    assert (row(held).state, row(held).times_received) == (QuarantineState.RESOLVED, 1)


def test_image_whose_filing_died_halfway_waits_for_a_decision_as_before(held: int) -> None:
    before = kept_files()
    with ownership.own_spool(is_alone=False):
        archive.release(row(held).file_path, clock.now(), ownership.own_name())
        recovery.recover()
        assert len(kept_files()) == len(before) + 1  # its owner lives
    recovery.recover()
    assert kept_files() == before
    assert archive.has(row(held).file_path)
    assert (row(held).state, row(held).times_received) == (QuarantineState.OPEN, 1)


def test_row_that_a_start_made_first_gets_its_source_from_the_receiver(held: int) -> None:
    source_id = row(held).source_id
    with database.transaction() as session:
        session.get_one(Quarantined, held).source_id = None
    hold(held, is_found=False)
    assert row(held).source_id == source_id is not None


def test_row_that_the_receiver_made_first_stays_as_it_is(held: int) -> None:
    hold(held, is_found=True)
    assert (row(held).times_received, row(held).patient_name) == (1, PATIENT)


def test_file_that_goes_while_a_receiver_starts_does_not_keep_it_from_starting(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "quarantined_files", lambda: ["quarantine/filed-a-moment-ago.dcm"])
    recovery.recover()
    assert row(held).state is QuarantineState.OPEN
