"""What a modality sends is kept, registered, and only then acknowledged."""

import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, build_context

from tests.conftest import RecordedJobs
from tests.worklist.datasets import STRUCTURED_REPORT, make_radiograph, new_uid, write
from tests.worklist.receiver.modality import QUICK, Site, data_pdu, eventually, store_command
from worklist import archive, database, jobs, settings
from worklist.intake.assembly import complete_quiet_studies
from worklist.receiver import keeping, scp
from worklist.receiver.statuses import Status
from worklist.receiver.upper_layer import Transfer
from worklist.tables import BodyPart, Result, Scope

NATIVE = {
    ImplicitVRLittleEndian: "-xi",
    ExplicitVRLittleEndian: "-xe",
    ExplicitVRBigEndian: "-xb",
    DeflatedExplicitVRLittleEndian: "-xd",
}
COMPRESSED = {"JPEG-LL.dcm": "-xs", "RG3_J2KI.dcm": "-xw", "MR_small_jpeg_ls_lossless.dcm": "-xt"}


def test_echo_is_answered(receiving: Site) -> None:
    done = subprocess.run(["echoscu", "127.0.0.1", str(receiving.port)], timeout=30)
    assert done.returncode == 0


def test_radiograph_from_storescu_stands_in_the_list(
    receiving: Site, tmp_path: Path, sent_jobs: RecordedJobs
) -> None:
    dataset = make_radiograph(PatientName="Müller^Jörg", AccessionNumber="A-1")
    assert receiving.storescu(write(dataset, tmp_path / "image.dcm")).returncode == 0
    (study,), (instance,) = receiving.studies(), receiving.instances()
    assert (study.patient_name, study.accession_number) == ("Müller^Jörg", "A-1")
    assert (study.body_part, study.result) == (BodyPart.WRIST, Result.WAITING)
    assert instance.sop_instance_uid == dataset.SOPInstanceUID
    assert sent_jobs.ids(jobs.ANALYSE_INSTANCE) == [instance.id]
    assert receiving.spooled() == []


def test_kept_file_is_a_dicom_file_with_the_bytes_of_the_sender(receiving: Site, tmp_path: Path) -> None:
    sent = write(make_radiograph(), tmp_path / "image.dcm")
    receiving.storescu(sent)
    (instance,), (kept,) = receiving.instances(), receiving.files()
    assert kept == archive.path_of(instance.file_path)
    assert instance.sha256 == hashlib.sha256(kept.read_bytes()).hexdigest()
    assert instance.file_bytes == kept.stat().st_size
    assert dcmread(kept).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert dcmread(kept) == dcmread(sent)


@pytest.mark.parametrize(("syntax", "option"), NATIVE.items(), ids=[uid.name for uid in NATIVE])
def test_every_native_encoding_is_kept_as_it_was_sent(
    receiving: Site, tmp_path: Path, syntax: str, option: str
) -> None:
    sent = write(make_radiograph(), tmp_path / "image.dcm", syntax)
    assert receiving.storescu(sent, options=(option,)).returncode == 0
    assert dcmread(receiving.files()[0]).file_meta.TransferSyntaxUID == syntax
    assert receiving.instances()[0].transfer_syntax_uid == syntax


@pytest.mark.parametrize(("name", "option"), COMPRESSED.items())
def test_compressed_images_are_kept_byte_for_byte(receiving: Site, name: str, option: str) -> None:
    path = Path(get_testdata_file(name))
    assert receiving.storescu(path, options=(option,)).returncode == 0
    assert dcmread(receiving.files()[0]).PixelData == dcmread(path).PixelData


def test_private_class_and_syntax_are_kept_and_listed_but_not_analysed(receiving: Site) -> None:
    private_class, private_syntax = "1.2.840.99999.1.1", "1.2.840.99999.2.1"
    dataset = make_radiograph(SOPClassUID=private_class)
    association = AE().associate(
        "127.0.0.1", receiving.port, contexts=[build_context(private_class, private_syntax)]
    )
    assert association.accepted_contexts[0].transfer_syntax == [private_syntax]
    association.release()
    answer = receiving.store(dataset)
    assert answer.Status == Status.SUCCESS
    (study,) = receiving.studies()
    assert (study.scope, study.result) == (Scope.OUT, Result.OUT_OF_SCOPE)
    assert study.result_reason == "Cannot be analysed: SOP class 1.2.840.99999.1.1 is not a radiograph."


def test_report_is_kept_and_listed(receiving: Site) -> None:
    report = make_radiograph(
        SOPClassUID=STRUCTURED_REPORT, Modality="SR", Rows=None, Columns=None, PixelData=None
    )
    assert receiving.store(report).Status == Status.SUCCESS
    assert receiving.studies()[0].result_reason.startswith("Cannot be analysed: a structured report")


def test_dcmsend_delivers_a_folder_over_one_association(receiving: Site, tmp_path: Path) -> None:
    for number in range(4):
        write(make_radiograph(), tmp_path / f"{number}.dcm")
    command = ["dcmsend", "+sd", "127.0.0.1", str(receiving.port), str(tmp_path)]
    assert subprocess.run(command, env=QUICK, timeout=60).returncode == 0
    assert len(receiving.studies()) == 4


def test_several_studies_share_one_association(receiving: Site) -> None:
    datasets = [make_radiograph(PatientID=f"P-{number}") for number in range(3)]
    with receiving.association() as association:
        answers = [association.send_c_store(dataset).Status for dataset in datasets]
    assert answers == [0, 0, 0]
    assert [study.patient_id for study in receiving.studies()] == ["P-0", "P-1", "P-2"]


def test_resent_instance_is_accepted_and_not_analysed_twice(
    receiving: Site, tmp_path: Path, sent_jobs: RecordedJobs
) -> None:
    sent = write(make_radiograph(), tmp_path / "image.dcm")
    assert receiving.storescu(sent).returncode == 0
    assert receiving.storescu(sent).returncode == 0
    assert (receiving.count(), len(receiving.files())) == (1, 1)
    assert len(sent_jobs.ids(jobs.ANALYSE_INSTANCE)) == 1
    assert len(receiving.events("instance.resent")) == 1


def test_same_uid_with_other_bytes_is_kept_as_a_new_version(receiving: Site) -> None:
    dataset = make_radiograph()
    receiving.store(dataset)
    dataset.ImageComments = "Corrected"
    assert receiving.store(dataset).Status == Status.SUCCESS
    assert [(row.version, row.is_current) for row in receiving.instances()] == [(1, False), (2, True)]
    assert len(receiving.files()) == 2
    assert "sent again with other content" in receiving.studies()[0].warning


def test_two_associations_bring_one_study_at_once(receiving: Site) -> None:
    study_instance_uid = new_uid()
    answers: list[int] = []
    datasets = [make_radiograph(StudyInstanceUID=study_instance_uid) for _ in range(4)]

    def send(dataset: Dataset) -> None:
        answers.append(receiving.store(dataset).Status)

    threads = [threading.Thread(target=send, args=(dataset,)) for dataset in datasets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [0, 0, 0, 0]
    assert receiving.studies()[0].content_version == 4


def test_acknowledgement_comes_after_sync_rename_and_commit(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiving.store(make_radiograph())  # the folder of the day is there from now on
    steps: list[str] = []

    def recorded(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def record(*arguments: Any, **options: Any) -> Any:
            steps.append(name)
            return call(*arguments, **options)

        return record

    monkeypatch.setattr(os, "fsync", recorded("sync", os.fsync))
    monkeypatch.setattr(Path, "rename", recorded("rename", Path.rename))
    monkeypatch.setattr(keeping, "register", recorded("rows", keeping.register))
    monkeypatch.setattr(jobs, "send", recorded("committed, job", jobs.send))
    monkeypatch.setattr(Transfer, "answer", recorded("answer", Transfer.answer))
    receiving.store(make_radiograph())
    # A job is sent after the commit and never before it.
    expected = ["sync", "rename", "sync", "rows", "committed, job", "answer"]
    assert steps == expected


def test_large_object_does_not_pass_through_memory(receiving: Site, tmp_path: Path) -> None:
    path = write(make_radiograph(), tmp_path / "image.dcm")
    size = 200 * 1024**2
    dataset = dcmread(path)
    dataset.Rows, dataset.Columns = 10240, 10240
    dataset.PixelData = bytes(size)
    large = write(dataset, tmp_path / "large.dcm")
    del dataset
    receiving.storescu(path)
    before = resident_bytes()
    peak = Peak()
    assert receiving.storescu(large).returncode == 0
    assert peak.stop() - before < 25 * 1024**2
    assert max(path.stat().st_size for path in receiving.files()) > size


class Peak:
    """Watches the resident memory of this process from a thread."""

    def __init__(self) -> None:
        self._highest = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        """Stop and return the highest value seen, in bytes."""
        self._stopped.set()
        self._thread.join()
        return self._highest

    def _watch(self) -> None:
        while not self._stopped.wait(0.01):
            self._highest = max(self._highest, resident_bytes())


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_image_on_its_way_keeps_its_study_from_being_complete(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep() -> list[int]:
        with database.transaction() as session:
            return complete_quiet_studies(session)

    monkeypatch.setattr(scp, "TRANSFER_SECONDS", 0.1)
    monkeypatch.setenv("WORKLIST_QUIET_SECONDS", "1.5")
    settings.current.cache_clear()
    receiving.restart()
    with receiving.association() as association:
        assert association.send_c_store(make_radiograph(StudyInstanceUID="1.2.3")).Status == 0
        slow = association.dul.socket.socket
        slow.sendall(data_pdu(3, store_command("1.2.3.4")) + data_pdu(0, b"the beginning"))
        time.sleep(2)
        assert sweep() == []
    assert eventually(lambda: sweep() != [], seconds=10)
