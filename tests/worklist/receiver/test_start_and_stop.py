"""Starting, stopping, and what a crash left behind."""

import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.conftest import RecordedJobs, forget
from tests.ports import free_port
from tests.worklist.datasets import make_radiograph, uids, write, write_raw
from tests.worklist.receiver.modality import Site, eventually
from worklist import archive, clock, settings
from worklist.errors import Unavailable
from worklist.receiver import scp
from worklist.receiver.statuses import Status
from worklist.settings import Settings


def keep(dataset_path: Path) -> str:
    """Put a file into the archive without rows, as a crash before the commit does."""
    spooled = archive.Spooled()
    spooled.write(dataset_path.read_bytes())
    return spooled.keep(clock.now()).file_path


def test_taken_port_is_named_with_the_setting(receiving: Site) -> None:
    with pytest.raises(Unavailable) as refused:
        scp.start(settings.current(), port=receiving.port)
    assert str(refused.value).startswith(f"Port {receiving.port} is taken: stop the program")
    assert "WORKLIST_RECEIVER_PORT" in str(refused.value)


def test_second_receiver_on_the_same_archive_does_not_start(receiving: Site) -> None:
    with pytest.raises(Unavailable, match="Another receiver already uses the archive"):
        scp.start(settings.current(), port=0)
    assert receiving.store(make_radiograph()).Status == Status.SUCCESS


def test_unusable_address_is_named(site: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKLIST_RECEIVER_HOST", "192.0.2.1")
    forget()
    with pytest.raises(Unavailable, match=r"cannot listen on 192\.0\.2\.1"):
        scp.start(settings.current(), port=0)


def test_file_without_rows_is_adopted_at_the_start(
    receiving: Site, tmp_path: Path, sent_jobs: RecordedJobs
) -> None:
    receiving.store(make_radiograph())
    path = keep(write(make_radiograph(PatientID="P-9"), tmp_path / "orphan.dcm"))
    receiving.restart()
    assert [row.file_path for row in receiving.instances()][1] == path
    assert receiving.studies()[1].patient_id == "P-9"
    receiving.restart()
    assert (receiving.count(), len(receiving.files())) == (2, 2)


def test_file_without_rows_that_was_sent_again_is_removed(receiving: Site, tmp_path: Path) -> None:
    sent = write(make_radiograph(), tmp_path / "image.dcm")
    receiving.storescu(sent)
    spooled = archive.Spooled()
    spooled.write(receiving.files()[0].read_bytes())
    spooled.keep(clock.now())
    receiving.restart()
    assert (receiving.count(), len(receiving.files())) == (1, 1)


def test_unusable_file_without_rows_is_set_aside(receiving: Site, tmp_path: Path) -> None:
    keep(write_raw(tmp_path / "image.dcm", *uids()[:2]))
    receiving.restart()
    assert (receiving.count(), receiving.files()) == (0, [])
    assert len(list((settings.current().archive_folder / "quarantine").iterdir())) == 1


def test_spool_of_an_interrupted_receiver_is_emptied(receiving: Site) -> None:
    left_over = archive.Spooled()
    left_over.write(b"half an image")
    receiving.restart()
    assert receiving.spooled() == []


def test_stop_lets_an_open_association_finish(receiving: Site) -> None:
    with receiving.association() as association:
        assert association.send_c_store(make_radiograph()).Status == Status.SUCCESS
    receiving.receiver.stop()
    assert receiving.count() == 1
    receiving.receiver = scp.start(settings.current(), port=0)


def test_stop_aborts_an_association_that_does_not_end(receiving: Site) -> None:
    with receiving.association() as association:
        receiving.receiver.stop(0.2)
        assert eventually(lambda: association.is_aborted)
    receiving.receiver = scp.start(settings.current(), port=0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_receiver_runs_until_it_is_told_to_stop(
    site: settings.Settings, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    port = free_port()
    monkeypatch.setenv("WORKLIST_RECEIVER_PORT", str(port))
    forget()
    answers: list[int] = []

    def echo_and_stop() -> None:
        eventually(lambda: listens(port), 60)
        answers.append(subprocess.run(["echoscu", "127.0.0.1", str(port)], timeout=60).returncode)
        os.kill(os.getpid(), number)

    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    threading.Thread(target=echo_and_stop).start()
    try:
        scp.run(settings.current())
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert answers == [0]
    assert not listens(port)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_too_few_descriptors_for_the_associations_are_said_before_the_start(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKLIST_MAXIMUM_ASSOCIATIONS", "10000000")
    settings.current.cache_clear()
    with pytest.raises(Unavailable, match=r"needs 40000128 open files, and this process may have \d+"):
        scp.start(settings.current(), port=0)
