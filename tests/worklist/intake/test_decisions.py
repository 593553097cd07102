"""The quarantine from the first file to the last decision, on both databases."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.conftest import RecordedJobs
from tests.web.administration import hold_images, receive
from worklist import archive, database
from worklist.errors import Conflict
from worklist.intake import decisions, held_files, sources
from worklist.receiver import ownership
from worklist.settings import Settings
from worklist.tables import Instance, Quarantined, Resolution, Study
from worklist.triage.policy import first_place


@pytest.fixture
def held(site: Settings, sent_jobs: RecordedJobs) -> list[int]:
    """An image of another patient, and one that is known in another study."""
    with database.transaction() as session:
        sources.add(session, "CR-ROOM1", "10.0.0.7", who="adam")
    return hold_images("CR-ROOM1", "10.0.0.7")


def file_it(session: Session, quarantined_id: int) -> None:
    decisions.file_in_study(
        session,
        quarantined_id,
        who="adam",
        note="It is right.",
        first_place=first_place,
        owner=ownership.own_name(),
    )


def test_page_has_file_source_and_studies_together(held: list[int]) -> None:
    with database.reading() as session:
        of_patient, of_study = held_files.held_files(session, limit=10)
        assert held_files.open_count(session) == 2
    assert of_patient.file.source is not None
    assert of_patient.file.source.ae_title == "CR-ROOM1"
    assert of_patient.contradicted is of_patient.named is of_study.contradicted
    assert of_study.named is None


def test_discarded_taken_up_again_and_filed(held: list[int]) -> None:
    for quarantined_id in held:
        with database.transaction() as session:
            decisions.discard(session, quarantined_id, who="adam", note="Sent by mistake.")
        with database.transaction() as session:
            decisions.reopen(session, quarantined_id, who="adam")
        with database.transaction() as session:
            file_it(session, quarantined_id)
    with database.reading() as session:
        assert [one.file.resolution for one in held_files.decided_lately(session, limit=10)] == [
            Resolution.FILED,
            Resolution.FILED,
        ]
        paths = session.scalars(select(Instance.file_path)).all()
        warnings = session.scalars(select(Study.warning).order_by(Study.id)).all()
    assert len(paths) == 3
    assert all(archive.has(path) for path in paths)
    assert archive.quarantined_files() == []
    assert all(decisions.SHARED_INSTANCE in warning for warning in warnings)


def test_what_is_not_discarded_cannot_be_taken_up_again(held: list[int]) -> None:
    with database.transaction() as session, pytest.raises(Conflict, match="Only what was discarded"):
        decisions.reopen(session, held[0], who="adam")


def test_failed_filing_leaves_the_file_in_the_quarantine_alone(
    held: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("the power fails")

    monkeypatch.setattr(decisions, "register", fail)
    with pytest.raises(RuntimeError), database.transaction() as session:
        file_it(session, held[0])
    with database.reading() as session:
        row = session.get_one(Quarantined, held[0])
    assert (row.resolution, archive.has(row.file_path)) == (None, True)
    assert len(archive.quarantined_files()) == 2


def test_study_deleted_leaves_its_held_files(held: list[int]) -> None:
    with database.transaction() as session:
        session.query(Study).delete()
    with database.reading() as session:
        assert [one.contradicted for one in held_files.held_files(session, limit=10)] == [None, None]
    assert receive("CR-ROOM1", "10.0.0.7") is None
