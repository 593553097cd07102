"""Sending a folder: what goes, what is left out, and what is said of failures."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian

from tests.conftest import RecordedJobs, forget
from tests.worklist.datasets import make_radiograph, new_uid, write, write_raw
from tests.worklist.receiver.modality import Site
from worklist.errors import Unavailable
from worklist.sender.send import Outgoing, SendReport, _batches, send_folder
from worklist.settings import Settings


@pytest.fixture
def receiving(site: Settings, sent_jobs: RecordedJobs) -> Iterator[Site]:
    """A receiver of a fresh site."""
    running = Site()
    yield running
    running.receiver.stop(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files to be sent lie."""
    path = tmp_path / "outgoing"
    path.mkdir()
    return path


def send(receiving: Site, folder: Path) -> SendReport:
    return send_folder(folder, host="127.0.0.1", port=receiving.port)


def test_folder_arrives_with_its_subfolders_and_byte_for_byte(receiving: Site, folder: Path) -> None:
    (folder / "a").mkdir()
    sent = [
        write(make_radiograph(), folder / "1.dcm"),
        write(make_radiograph(), folder / "a" / "2", DeflatedExplicitVRLittleEndian),
        write(make_radiograph(), folder / "a" / "3.dcm", ExplicitVRBigEndian),
    ]
    progress: list[tuple[int, int]] = []
    report = send_folder(
        folder,
        host="127.0.0.1",
        port=receiving.port,
        on_progress=lambda done, total: progress.append((done, total)),
    )
    assert (report.sent, report.failed, report.skipped) == (3, [], 0)
    assert progress == [(1, 3), (2, 3), (3, 3)]
    endings = {path.read_bytes()[-100:] for path in sent}
    assert {path.read_bytes()[-100:] for path in receiving.files()} == endings


def test_single_file_can_be_sent(receiving: Site, folder: Path) -> None:
    assert send(receiving, write(make_radiograph(), folder / "1.dcm")).sent == 1
    assert receiving.count() == 1


def test_other_files_are_counted_and_left_out(receiving: Site, folder: Path) -> None:
    write(make_radiograph(), folder / "1.dcm")
    (folder / "letter.txt").write_text("Dear colleague")
    (folder / "empty").touch()
    write(make_radiograph(), folder / "DICOMDIR")
    report = send(receiving, folder)
    assert report.text() == "1 sent, 3 skipped that are no DICOM files."


def test_more_kinds_than_one_association_can_propose_go_in_two() -> None:
    files = [Outgoing(Path(str(number)), f"1.2.{number % 130}", "1.2") for number in range(260)]
    batches = list(_batches(files))
    assert [path for batch in batches for path in batch] == files
    assert max(len({outgoing.kind for outgoing in batch}) for batch in batches) == 128


def test_other_service_on_the_port_is_said_to_be_no_receiver(folder: Path) -> None:
    write(make_radiograph(), folder / "1.dcm")

    def hang_up() -> None:
        for _ in range(2):
            listener.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(Unavailable, match="is no DICOM receiver"):
            send_folder(folder, host="127.0.0.1", port=port)
        thread.join()


def test_refusal_is_reported_with_status_and_reason(receiving: Site, folder: Path) -> None:
    path = write_raw(folder / "1.dcm")
    write(make_radiograph(), folder / "2.dcm")
    report = send(receiving, folder)
    assert (report.sent, len(report.failed)) == (1, 1)
    assert report.text().splitlines()[1] == (
        f"{path}: Status 0xC000: (0008,0016) SOPClassUID is missing or empty."
    )


def test_nobody_there_is_said_with_the_address(folder: Path) -> None:
    write(make_radiograph(), folder / "1.dcm")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(Unavailable) as failed:
        send_folder(folder, host="127.0.0.1", port=port)
    assert str(failed.value) == f"Nothing answers at 127.0.0.1:{port}: is the receiver running there?"


def test_refused_association_is_said_with_its_reason(
    receiving: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKLIST_REQUIRE_CALLED_AE_TITLE", "true")
    forget()
    receiving.restart()
    write(make_radiograph(), folder / "1.dcm")
    with pytest.raises(Unavailable, match="refuses the association: Called AE title not recognised"):
        send_folder(folder, host="127.0.0.1", port=receiving.port, called_ae_title="SOMEBODY")


def test_folder_without_dicom_files_needs_no_receiver(folder: Path) -> None:
    (folder / "letter.txt").write_text("Dear colleague")
    report = send_folder(folder, host="127.0.0.1", port=1)
    assert (report.sent, report.skipped) == (0, 1)


def test_association_that_ends_fails_the_rest_in_words(receiving: Site, folder: Path) -> None:
    study = new_uid()
    for number in range(3):
        write(make_radiograph(StudyInstanceUID=study), folder / f"{number}.dcm", ExplicitVRLittleEndian)

    def stop_after_first(done: int, _total: int) -> None:
        if done == 1:
            receiving.receiver.stop(0)

    report = send_folder(folder, host="127.0.0.1", port=receiving.port, on_progress=stop_after_first)
    assert report.sent == 1
    assert len(report.failed) == 2
    receiving.__init__()  # type: ignore[misc]
