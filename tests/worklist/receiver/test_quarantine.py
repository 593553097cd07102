"""An image that contradicts what is known: kept apart, answered with a warning, decided on, never lost."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from tests.worklist.datasets import make_radiograph, write
from tests.worklist.receiver.modality import Site
from worklist import archive, clock, database, settings
from worklist.errors import Conflict, Invalid, Unavailable
from worklist.intake import decisions, held_files, quarantine, sources
from worklist.intake.identity import WrongPatient
from worklist.receiver import ownership, recovery
from worklist.receiver.statuses import Status
from worklist.tables import (
    Quarantined,
    QuarantineKind,
    QuarantineState,
    Resolution,
    Series,
    Study,
)
from worklist.triage.policy import first_place


def rows() -> list[Quarantined]:
    with database.reading() as session:
        return list(session.scalars(select(Quarantined).options(joinedload(Quarantined.source))))


def held_on_disk() -> list[Path]:
    return sorted((settings.current().archive_folder / "quarantine").glob("*.dcm"))


def other_patient(receiving: Site) -> Any:
    """Send an image of Rita, then one of Otto in her study; return the second."""
    first = make_radiograph(PatientBirthDate="19700101")
    assert receiving.store(first).Status == Status.SUCCESS
    second = make_radiograph(
        StudyInstanceUID=first.StudyInstanceUID,
        PatientID="P-2",
        PatientName="Otto^Other",
        AccessionNumber="A-2",
    )
    assert receiving.store(second).Status == Status.SET_ASIDE
    return second


def other_study(receiving: Site) -> Any:
    """Send an image, then one with its UID in another study; return the second."""
    dataset = make_radiograph()
    receiving.store(dataset)
    dataset.StudyInstanceUID += ".1"
    assert receiving.store(dataset).Status == Status.SET_ASIDE
    return dataset


def file_it(quarantined_id: int, note: str = "The technologist confirmed it.") -> Any:
    with database.transaction() as session:
        return decisions.file_in_study(
            session,
            quarantined_id,
            who="adam",
            note=note,
            first_place=first_place,
            owner=ownership.own_name(),
        )


def check(quarantined_id: int) -> Any:
    with database.transaction() as session:
        return decisions.check_again(
            session,
            quarantined_id,
            who="adam",
            first_place=first_place,
            owner=ownership.own_name(),
        )


def discard(quarantined_id: int, note: str = "Test image.") -> None:
    with database.transaction() as session:
        decisions.discard(session, quarantined_id, who="adam", note=note)


def test_same_uid_in_another_study_is_kept_apart_however_often_it_is_sent(receiving: Site) -> None:
    dataset = other_study(receiving)
    answer = receiving.store(dataset)
    assert answer.Status == Status.SET_ASIDE
    assert answer.ErrorComment == "Kept apart: an administrator decides where it belongs."
    assert len(receiving.studies()) == len(receiving.files()) == len(held_on_disk()) == 1
    (row,) = rows()
    assert (row.kind, row.state, row.times_received) == (QuarantineKind.OTHER_STUDY, QuarantineState.OPEN, 2)
    assert (row.study_id, row.study_instance_uid) == (receiving.studies()[0].id, dataset.StudyInstanceUID)
    assert row.source is not None
    assert row.source.ae_title == "MODALITY"
    assert len(receiving.events("instance.quarantined")) == 1
    assert receiving.events("instance.refused") == []


def test_image_of_another_patient_is_kept_apart_byte_for_byte(receiving: Site) -> None:
    dataset = other_patient(receiving)
    (row,) = rows()
    assert (row.kind, row.patient_id, row.patient_name) == (QuarantineKind.OTHER_PATIENT, "P-2", "Otto^Other")
    assert row.accession_number == "A-2"
    held = dcmread(archive.path_of(row.file_path))
    assert (held.SOPInstanceUID, held.PixelData) == (dataset.SOPInstanceUID, dataset.PixelData)
    (study,) = receiving.studies()
    assert (study.patient_id, study.accession_number, study.warning) == ("P-1", "", "")
    assert receiving.count() == 1


def test_storescu_goes_on_after_an_image_that_is_kept_apart(receiving: Site, tmp_path: Path) -> None:
    first = make_radiograph()
    files = [write(first, tmp_path / "1.dcm")]
    for number, patient_id in ((2, "P-2"), (3, "P-1")):
        dataset = make_radiograph(StudyInstanceUID=first.StudyInstanceUID, PatientID=patient_id)
        files.append(write(dataset, tmp_path / f"{number}.dcm"))
    done = receiving.storescu(*files)
    assert done.returncode == 0
    assert "Warning: DataSetDoesNotMatchSOPClass" in done.stdout + done.stderr
    assert (receiving.count(), len(rows())) == (2, 1)


def test_audit_and_log_name_no_patient(receiving: Site, caplog: pytest.LogCaptureFixture) -> None:
    other_patient(receiving)
    file_it(rows()[0].id, note="Otto Other is Rita's brother.")
    events = [*receiving.events("instance.quarantined"), *receiving.events("quarantine.filed")]
    said = str([event.detail for event in events]) + caplog.text
    assert len(events) == 2
    assert not any(word in said for word in ("Otto", "P-2", "A-2"))


def test_administrator_files_the_image_of_another_patient_in_the_study(receiving: Site) -> None:
    dataset = other_patient(receiving)
    registered = file_it(rows()[0].id)
    (row,) = rows()
    assert (row.state, row.resolution, row.resolved_by) == (
        QuarantineState.RESOLVED,
        Resolution.FILED,
        "adam",
    )
    assert (held_on_disk(), len(receiving.files()), receiving.count()) == ([], 2, 2)
    (study,) = receiving.studies()
    assert (study.patient_id, study.accession_number, study.content_version) == ("P-1", "", 2)
    assert "name different patient IDs" in study.warning
    assert receiving.instances()[1].id == registered.instance_id
    assert receiving.instances()[1].file_path == row.file_path
    assert receiving.store(dataset).Status == Status.SUCCESS
    assert (receiving.count(), held_on_disk()) == (2, [])


def test_image_filed_although_its_uid_is_elsewhere_stands_in_both_studies(receiving: Site) -> None:
    other_study(receiving)
    file_it(rows()[0].id)
    studies = receiving.studies()
    assert [study.content_version for study in studies] == [1, 1]
    assert all("in another study too, under the same UID" in study.warning for study in studies)
    with database.reading() as session:
        series = dict(session.execute(select(Series.id, Series.study_id)).all())
    first, second = receiving.instances()
    assert (series[first.series_id], series[second.series_id]) == (studies[0].id, studies[1].id)
    assert first.is_current
    assert second.is_current
    assert (first.version, second.version) == (1, 2)


def test_discarded_image_stays_on_disk_and_is_not_brought_up_again(receiving: Site) -> None:
    dataset = other_patient(receiving)
    discard(rows()[0].id)
    assert receiving.store(dataset).Status == Status.SET_ASIDE
    (row,) = rows()
    assert (row.resolution, row.note, row.times_received) == (Resolution.DISCARDED, "Test image.", 2)
    assert len(held_on_disk()) == 1
    with database.transaction() as session:
        assert held_files.open_count(session) == 0
        decisions.reopen(session, row.id, who="adam")
        assert held_files.open_count(session) == 1
    file_it(row.id)
    assert receiving.count() == 2


def test_check_files_it_once_nothing_contradicts_any_more(receiving: Site) -> None:
    other_patient(receiving)
    (row,) = rows()
    with pytest.raises(WrongPatient):
        check(row.id)
    assert (len(held_on_disk()), len(receiving.files())) == (1, 1)
    with database.transaction() as session:
        session.query(Study).update({"patient_id": "P-2"})
    check(row.id)
    assert (rows()[0].resolution, receiving.count(), held_on_disk()) == (Resolution.FITS, 2, [])


def test_nothing_is_decided_without_a_note_or_twice(receiving: Site) -> None:
    other_patient(receiving)
    (row,) = rows()
    for act in (file_it, discard):
        with pytest.raises(Invalid, match="Write a note"):
            act(row.id, note="  ")
    discard(row.id)
    with pytest.raises(Conflict, match=r"adam has decided on this file already: discarded\."):
        file_it(row.id)
    assert (receiving.count(), len(held_on_disk()), len(receiving.files())) == (1, 1, 1)


def test_filed_image_whose_study_is_gone_has_to_be_decided_on_anew(receiving: Site) -> None:
    dataset = other_patient(receiving)
    file_it(rows()[0].id)
    with database.transaction() as session:
        session.query(Study).delete()
    receiving.store(make_radiograph(StudyInstanceUID=dataset.StudyInstanceUID))
    assert receiving.store(dataset).Status == Status.SET_ASIDE
    (row,) = rows()
    assert (row.state, row.resolution, len(held_on_disk())) == (QuarantineState.OPEN, None, 1)


def test_crash_between_the_move_and_the_row_is_mended_at_the_next_start(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:

        def fail(*_arguments: object, **_options: object) -> None:
            raise Unavailable("The database went away.")

        broken.setattr(quarantine, "hold", fail)
        dataset = make_radiograph()
        receiving.store(dataset)
        dataset.PatientID = "P-2"
        dataset.SOPInstanceUID += ".1"
        assert receiving.store(dataset).Status == Status.OUT_OF_RESOURCES
    assert (rows(), len(held_on_disk())) == ([], 1)
    receiving.restart()
    (row,) = rows()
    assert (row.kind, row.state) == (QuarantineKind.OTHER_PATIENT, QuarantineState.OPEN)
    assert (len(held_on_disk()), receiving.count()) == (1, 1)
    with ownership.dead_receivers() as dead:
        assert recovery.adopt_set_aside() == recovery.adopt_orphans(dead) == 0


def test_file_without_rows_that_cannot_be_understood_can_only_be_discarded(receiving: Site) -> None:
    spooled = archive.Spooled()
    spooled.write(b"Dear colleague")
    spooled.keep(clock.now())
    receiving.restart()
    (row,) = rows()
    assert row.kind is QuarantineKind.UNREADABLE
    with pytest.raises(Invalid, match="discard it"):
        file_it(row.id)
    discard(row.id)
    assert len(held_on_disk()) == 1


@pytest.mark.parametrize("character_set", ["", "ISO_IR 144"])
def test_fallback_character_set_of_the_source_is_used_and_the_file_keeps_its_bytes(
    receiving: Site, tmp_path: Path, character_set: str
) -> None:
    raw = "Люкceмбypг".encode("iso8859_5")
    receiving.store(make_radiograph())
    with database.transaction() as session:
        for source in sources.all_sources(session):
            source.character_set = character_set
    path = write(make_radiograph(SpecificCharacterSet=None, PatientName="N" * len(raw)), tmp_path / "n.dcm")
    path.write_bytes(path.read_bytes().replace(b"N" * len(raw), raw))
    done = subprocess.run(
        ["storescu", "-aet", "MODALITY", "127.0.0.1", str(receiving.port), str(path)], timeout=60
    )
    assert done.returncode == 0
    study, instance = receiving.studies()[-1], receiving.instances()[-1]
    assert study.patient_name == ("Люкceмбypг" if character_set else raw.decode("latin-1"))
    assert raw in archive.path_of(instance.file_path).read_bytes()
