"""What is not kept is refused with the right status; answer and audit stream tell the reason."""

import subprocess
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom import AE, build_context
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.conftest import Clock, forget
from tests.worklist.datasets import element, make_radiograph, uids, write, write_raw
from tests.worklist.receiver.modality import (
    QUICK,
    Site,
    association_request,
    data_pdu,
    eventually,
    send_with_command,
    store_command,
)
from worklist import archive, database
from worklist.errors import Unavailable
from worklist.intake.sources import add
from worklist.receiver import keeping
from worklist.receiver.statuses import Status
from worklist.tables import Source


def refusal(receiving: Site) -> tuple[str, str]:
    """Return status and reason of the one refusal in the audit stream; nothing may be left of it."""
    (event,) = receiving.events("instance.refused")
    assert (receiving.count(), receiving.files(), receiving.spooled()) == (0, [], [])
    return event.detail["status"], event.detail["reason"]


def test_data_set_of_another_instance_than_the_command_is_refused(receiving: Site) -> None:
    answer = receiving.store(make_radiograph(), sop_instance_uid="1.2.3.99")
    assert answer.Status == Status.DOES_NOT_MATCH
    assert answer.ErrorComment == "(0008,0018) SOPInstanceUID differs from the command."
    assert refusal(receiving) == ("0xA900", "(0008,0018) SOPInstanceUID differs from the command.")


def test_data_set_of_another_class_than_the_command_is_refused(receiving: Site) -> None:
    answer = receiving.store(make_radiograph(), sop_class_uid="1.2.840.10008.5.1.4.1.1.2")
    assert answer.Status == Status.DOES_NOT_MATCH


@pytest.mark.parametrize("encoded", [b"\x00" * 1000, b"\xff" * 1000, b"Dear colleague"])
def test_garbage_is_refused_and_the_association_goes_on(receiving: Site, encoded: bytes) -> None:
    with receiving.association() as association:
        answer = send_with_command(association, make_radiograph(), encoded=encoded)
        assert answer.Status == Status.CANNOT_UNDERSTAND
        assert association.send_c_store(make_radiograph()).Status == Status.SUCCESS
    assert receiving.count() == 1


def test_missing_study_uid_is_named(receiving: Site, tmp_path: Path) -> None:
    path = write_raw(tmp_path / "image.dcm", *uids()[:2], element(0x0020000E, b"UI", b"1.2.3\0"))
    assert receiving.storescu(path).returncode != 0
    assert refusal(receiving) == ("0xC000", "(0020,000D) StudyInstanceUID is missing or empty.")


def test_uid_that_is_a_path_writes_nothing_outside(receiving: Site, tmp_path: Path) -> None:
    uid = "../../../escaped"
    answer = receiving.store(make_radiograph(), sop_instance_uid=uid)
    assert answer.Status in {Status.DOES_NOT_MATCH, Status.CANNOT_UNDERSTAND}
    path = write_raw(tmp_path / "image.dcm", *uids(sop_instance_uid=uid), sop_instance_uid=uid)
    receiving.storescu(path)
    assert not list(tmp_path.rglob("*escaped*"))
    assert receiving.count() == 0


def test_command_without_instance_uid_is_answered(receiving: Site) -> None:
    answer = receiving.store(make_radiograph(), sop_instance_uid=None)
    assert answer.Status == Status.DOES_NOT_MATCH


def test_full_disk_is_out_of_resources_and_heals_by_itself(
    receiving: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = write(make_radiograph(), tmp_path / "image.dcm")
    monkeypatch.setenv("WORKLIST_MINIMUM_FREE_BYTES", str(10**18))
    forget()
    done = receiving.storescu(sent)
    assert done.returncode != 0
    assert "Refused: OutOfResources" in done.stdout + done.stderr
    assert "WORKLIST_MINIMUM_FREE_BYTES" in refusal(receiving)[1]
    monkeypatch.setenv("WORKLIST_MINIMUM_FREE_BYTES", "0")
    forget()
    assert receiving.storescu(sent).returncode == 0


def test_modality_that_never_stops_trying_fills_no_audit_stream(
    receiving: Site, monkeypatch: pytest.MonkeyPatch, frozen: Clock
) -> None:
    def statuses(*images: Dataset) -> list[str]:
        for image in images:
            receiving.store(image)
        return [event.detail["status"] for event in receiving.events("instance.refused")]

    invalid = make_radiograph(StudyInstanceUID="")
    assert statuses(invalid, invalid) == ["0xC000"]
    assert statuses(make_radiograph(StudyInstanceUID="")) == ["0xC000"] * 2  # another image is news
    monkeypatch.setenv("WORKLIST_MINIMUM_FREE_BYTES", str(10**18))
    forget()
    full = ["0xC000", "0xC000", "0xA700"]
    assert statuses(*(make_radiograph() for _ in range(3))) == full
    frozen.advance(minutes=11)
    assert statuses(make_radiograph()) == [*full, "0xA700"]


def test_database_away_is_out_of_resources_and_leaves_no_file(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving.association() as association, monkeypatch.context() as away:
        away.setenv("WORKLIST_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
        forget()
        answer = association.send_c_store(make_radiograph())
        assert answer.Status == Status.OUT_OF_RESOURCES
        assert answer.ErrorComment.startswith("The database did not answer")
    forget()
    assert (receiving.files(), receiving.spooled()) == ([], [])
    assert receiving.store(make_radiograph()).Status == Status.SUCCESS


def test_association_is_accepted_while_the_database_is_away(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setenv("WORKLIST_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
        forget()
        assert receiving.store(make_radiograph()).Status == Status.OUT_OF_RESOURCES
    forget()


def test_failed_commit_leaves_the_file_for_the_next_start(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(database, "_sessions", lambda: fail_at_commit)
        assert receiving.store(make_radiograph()).Status == Status.OUT_OF_RESOURCES
    assert (receiving.count(), len(receiving.files())) == (0, 1)
    receiving.restart()
    assert (receiving.count(), len(receiving.files())) == (1, 1)


def fail_at_commit(**options: object) -> object:
    session = Session(expire_on_commit=False, **options)  # type: ignore[arg-type]

    def fail(_session: object) -> None:
        raise Unavailable("The database went away: in the middle of a commit")

    event.listen(session, "before_commit", fail)
    return session


def test_object_above_the_limit_is_refused_with_the_setting(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKLIST_MAXIMUM_OBJECT_BYTES", "100000")
    forget()
    with receiving.association() as association:
        answer = association.send_c_store(make_radiograph(PixelData=bytes(150_000)))
        assert answer.Status == Status.OUT_OF_RESOURCES
        assert association.send_c_store(make_radiograph()).Status == Status.SUCCESS
    assert "WORKLIST_MAXIMUM_OBJECT_BYTES" in receiving.events("instance.refused")[0].detail["reason"]
    assert len(receiving.files()) == 1


def test_command_with_too_long_a_uid_is_answered_and_not_repeated_in_full(receiving: Site) -> None:
    with receiving.connection() as connection:
        connection.sendall(association_request())
        connection.recv(65536)
        connection.sendall(data_pdu(3, store_command("1" * 5000)) + data_pdu(2, b""))
        answer = connection.recv(65536)
    assert b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\xc0" in answer  # (0000,0900) Status
    assert len(receiving.events("instance.refused")[0].detail["sop_instance_uid"]) == 64


def test_fault_of_ours_is_a_processing_failure_and_keeps_nothing(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise KeyError("a mistake")

    monkeypatch.setattr(keeping, "register", fail)
    answer = receiving.store(make_radiograph())
    assert answer.Status == Status.PROCESSING_FAILURE
    assert refusal(receiving) == ("0x0110", "A fault in the receiver; its log has the details.")


def test_refusal_names_no_patient(receiving: Site, caplog: pytest.LogCaptureFixture) -> None:
    receiving.store(make_radiograph(PatientName="Secret^Person", PatientID="S-1"), sop_instance_uid="1.2")
    (event,) = receiving.events("instance.refused")
    said = str(event.detail) + caplog.text
    assert "Secret" not in said
    assert "S-1" not in said


@pytest.fixture
def as_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the loopback address look like one of the ward."""
    monkeypatch.setattr("worklist.intake.sources.canonical", lambda _address: "10.0.0.7")


@pytest.mark.usefixtures("as_stranger")
def test_unknown_source_is_rejected_and_the_audit_says_what_to_do(receiving: Site) -> None:
    done = subprocess.run(
        ["echoscu", "-v", "-aet", "CR1", "127.0.0.1", str(receiving.port)],
        capture_output=True,
        text=True,
        env=QUICK,
        timeout=30,
    )
    assert done.returncode != 0
    assert "Calling AE Title Not Recognized" in done.stdout + done.stderr
    (event,) = receiving.events("association.refused")
    assert event.detail["reason"].endswith("run: worklist source add CR1 10.0.0.7")
    assert event.detail["why"] == "unknown_source"


@pytest.mark.usefixtures("as_stranger")
def test_known_source_may_send_until_it_is_switched_off(receiving: Site) -> None:
    with database.transaction() as session:
        source_id = add(session, "CR1", "10.0.0.7", who="adam").id
    with receiving.association(ae_title="CR1") as association:
        assert association.send_c_store(make_radiograph()).Status == Status.SUCCESS
        with database.transaction() as session:
            session.get_one(Source, source_id).is_enabled = False
        assert association.send_c_store(make_radiograph()).Status == Status.NOT_AUTHORISED
    assert receiving.instances()[0].source_id == source_id


def test_other_called_ae_title_is_rejected_if_the_site_wants_that(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKLIST_REQUIRE_CALLED_AE_TITLE", "true")
    receiving.restart()
    for called, code in (("WORKLIST", 0), ("SOMEBODY", 1)):
        command = ["echoscu", "-aec", called, "127.0.0.1", str(receiving.port)]
        assert subprocess.run(command, capture_output=True, timeout=30).returncode == code
    (event,) = receiving.events("association.refused")
    assert (event.detail["called"], event.detail["why"]) == ("SOMEBODY", "wrong_called_ae_title")


def test_same_rejection_is_noted_once_in_ten_minutes(
    receiving: Site, monkeypatch: pytest.MonkeyPatch, frozen: Clock
) -> None:
    monkeypatch.setenv("WORKLIST_REQUIRE_CALLED_AE_TITLE", "true")
    receiving.restart()

    def call(calling: str) -> None:
        asked = [build_context("1.2.840.10008.1.1")]
        entity = AE(ae_title=calling)
        assert entity.associate("127.0.0.1", receiving.port, asked, ae_title="SOMEBODY").is_rejected

    for calling in ("CR1", "CR1", "CR1", "CR2"):
        call(calling)
    frozen.advance(minutes=11)
    call("CR1")
    noted = [event.detail["calling"] for event in receiving.events("association.refused")]
    assert noted == ["CR1", "CR2", "CR1"]


@pytest.mark.parametrize(
    ("abstract_syntax", "name"),
    [
        ("1.2.840.10008.5.1.4.1.2.1.1", "Patient Root Query/Retrieve Information Model - FIND"),
        ("1.2.840.10008.5.1.4.31", "Modality Worklist Information Model - FIND"),
    ],
)
def test_service_that_a_receiver_does_not_have_is_noted_by_its_name(
    receiving: Site, abstract_syntax: str, name: str
) -> None:
    asked = [build_context(abstract_syntax), build_context("1.2.840.10008.1.1"), build_context("1.2.3.4.5")]
    for _ in range(2):
        association = AE(ae_title="CR1").associate("127.0.0.1", receiving.port, contexts=asked)
        association.release()
    assert eventually(lambda: bool(receiving.events("context.refused")))
    (event,) = receiving.events("context.refused")
    assert (event.detail["name"], event.detail["calling"]) == (name, "CR1")


def test_archive_says_that_its_disk_failed(receiving: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise Unavailable("The archive disk failed: Input/output error.")

    monkeypatch.setattr(archive.Spooled, "keep", fail)
    assert receiving.store(make_radiograph()).ErrorComment == "The archive disk failed: Input/output error."
