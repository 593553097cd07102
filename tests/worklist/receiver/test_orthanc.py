"""Orthanc sends, asks for commitment, and shows what it was told."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RecordedJobs
from tests.worklist.datasets import make_radiograph, write
from tests.worklist.receiver.modality import Site, eventually
from tests.worklist.receiver.orthanc import Orthanc
from workers import commitment
from worklist import database, jobs
from worklist.intake import sources

pytestmark = pytest.mark.system


@pytest.fixture
def orthanc(receiving: Site, tmp_path: Path) -> Iterator[Orthanc]:
    """A running Orthanc, known as a source with its port."""
    running = Orthanc(tmp_path, receiving.port)
    with database.transaction() as session:
        sources.add(session, "ORTHANC", "127.0.0.1", port=running.dicom_port, who="test")
    yield running
    running.stop()


def work(sent_jobs: RecordedJobs) -> None:
    (commitment_id,) = sent_jobs.ids(jobs.REPORT_COMMITMENT)
    assert commitment_id is not None
    commitment.report_commitment(commitment_id)


def test_orthanc_stores_asks_and_is_told_that_all_is_kept(
    receiving: Site, orthanc: Orthanc, tmp_path: Path, sent_jobs: RecordedJobs
) -> None:
    stored = [
        orthanc.post("/instances", write(make_radiograph(), tmp_path / f"{number}.dcm").read_bytes())["ID"]
        for number in range(3)
    ]
    order = {"Resources": stored, "StorageCommitment": True, "Synchronous": True}
    done = orthanc.post("/modalities/worklist/store", json.dumps(order).encode())
    assert receiving.count() == 3
    transaction_uid = done["StorageCommitmentTransactionUID"]
    work(sent_jobs)
    assert eventually(lambda: orthanc.get(f"/storage-commitment/{transaction_uid}")["Status"] != "Pending")
    told = orthanc.get(f"/storage-commitment/{transaction_uid}")
    assert (told["Status"], len(told["Success"]), told["Failures"]) == ("Success", 3, [])


def test_orthanc_is_told_of_what_was_never_sent(
    receiving: Site, orthanc: Orthanc, sent_jobs: RecordedJobs
) -> None:
    asked = {"DicomInstances": [["1.2.840.10008.5.1.4.1.1.1.1", "1.2.3.4.5"]]}
    done = orthanc.post("/modalities/worklist/storage-commitment", json.dumps(asked).encode())
    work(sent_jobs)
    assert eventually(lambda: orthanc.get(done["Path"])["Status"] != "Pending")
    told = orthanc.get(done["Path"])
    assert told["Status"] == "Failure"
    assert [item["SOPInstanceUID"] for item in told["Failures"]] == ["1.2.3.4.5"]
