"""Storage commitment: a peer in a process of its own asks, and learns what is kept and what is not."""

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel
from sqlalchemy import select

from tests.conftest import Clock, RecordedJobs, forget
from tests.ports import free_port
from tests.worklist.datasets import DIGITAL_X_RAY, make_radiograph, new_uid
from tests.worklist.receiver.certificates import Authority, set_certificates
from tests.worklist.receiver.commitment_peer import WELL_KNOWN, request
from tests.worklist.receiver.modality import Site, eventually
from workers import commitment, housekeeping
from worklist import database, jobs, settings
from worklist.intake import commitments, sources
from worklist.receiver.statuses import Status
from worklist.tables import Commitment, CommitmentState

PEER = Path(__file__).parent / "commitment_peer.py"
ALL_COMMITTED, FAILURES_EXIST = 1, 2


class Peer:
    """A modality with a port of its own; ``asks`` starts its process."""

    def __init__(self, receiving: Site) -> None:
        self._receiving = receiving
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None

    def asks(
        self, *references: tuple[str, str], mode: str = "new", seconds: float = 20, transaction_uid: str = ""
    ) -> int:
        """Ask for commitment and return the status of the N-ACTION."""
        self.end()
        uids = [uid for reference in references for uid in reference]
        ports = (str(self._receiving.port), str(self.port))
        command = [sys.executable, str(PEER), mode, *ports, str(seconds), transaction_uid or new_uid(), *uids]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        status: int = self._line()["status"]
        return status

    def hears(self) -> dict[str, Any]:
        """Return the report."""
        return self._line()

    def end(self) -> None:
        """Stop the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _line(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line: dict[str, Any] = json.loads(self._process.stdout.readline() or "{}")
        return line


@pytest.fixture
def peer(receiving: Site) -> Iterator[Peer]:
    """A modality that has not asked yet, and whose port nobody told us."""
    modality = Peer(receiving)
    yield modality
    modality.end()


@pytest.fixture
def with_port(peer: Peer) -> Peer:
    """The same, added as a source with its port."""
    with database.transaction() as session:
        sources.add(session, "COMMITTER", "127.0.0.1", port=peer.port, who="test")
    return peer


def stored(receiving: Site) -> tuple[str, str]:
    dataset = make_radiograph()
    assert receiving.store(dataset).Status == Status.SUCCESS
    return dataset.SOPClassUID, dataset.SOPInstanceUID


def row() -> Commitment:
    with database.reading() as session:
        return session.scalars(select(Commitment)).one()


def work(sent_jobs: RecordedJobs) -> None:
    """Run the jobs that were asked for, as the background worker does."""
    for commitment_id in sent_jobs.ids(jobs.REPORT_COMMITMENT):
        assert commitment_id is not None
        commitment.report_commitment(commitment_id)


def test_report_comes_on_a_new_association(receiving: Site, with_port: Peer, sent_jobs: RecordedJobs) -> None:
    kept = stored(receiving)
    assert with_port.asks(kept, transaction_uid="1.2.3.77") == Status.SUCCESS
    work(sent_jobs)
    assert with_port.hears() == {
        "event_type": ALL_COMMITTED,
        "transaction_uid": "1.2.3.77",
        "calling": "WORKLIST",
        "committed": [kept[1]],
        "failed": {},
    }
    assert (row().state, row().attempts) == (CommitmentState.REPORTED, 1)
    assert receiving.events("commitment.reported")[0].detail == {"committed": 1, "failed": 0}


def test_what_is_not_kept_is_reported_with_its_reason(
    receiving: Site, with_port: Peer, sent_jobs: RecordedJobs
) -> None:
    kept, lost, cut = stored(receiving), stored(receiving), stored(receiving)
    files = {row.sop_instance_uid: row.file_path for row in receiving.instances()}
    archive = settings.current().archive_folder
    (archive / files[lost[1]]).unlink()
    (archive / files[cut[1]]).write_bytes(b"half of it")
    _, other = stored(receiving)
    with_port.asks(kept, lost, cut, ("1.2.840.10008.5.1.4.1.1.2", other), (DIGITAL_X_RAY, "1.2.3.999"))
    work(sent_jobs)
    heard = with_port.hears()
    assert (heard["event_type"], heard["committed"]) == (FAILURES_EXIST, [kept[1]])
    assert heard["failed"] == {lost[1]: 0x0112, cut[1]: 0x0112, other: 0x0119, "1.2.3.999": 0x0112}


def test_without_a_port_the_report_comes_on_the_same_association(
    receiving: Site, peer: Peer, sent_jobs: RecordedJobs
) -> None:
    kept = stored(receiving)
    assert peer.asks(kept, mode="same") == Status.SUCCESS
    assert peer.hears()["committed"] == [kept[1]]
    assert eventually(lambda: row().state is CommitmentState.REPORTED)
    assert sent_jobs.ids(jobs.REPORT_COMMITMENT) == []


def test_without_a_port_a_source_that_leaves_is_not_held_up_and_hears_later(
    receiving: Site, sent_jobs: RecordedJobs, peer: Peer, frozen: Clock
) -> None:
    kept = stored(receiving)
    with receiving.association(StorageCommitmentPushModel, ae_title="COMMITTER") as association:
        status, _ = association.send_n_action(
            request("1.2.3.78", [kept]), 1, StorageCommitmentPushModel, WELL_KNOWN
        )
        assert status.Status == Status.SUCCESS
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert eventually(lambda: "worklist source add" in row().last_error)
    frozen.advance(minutes=5)
    housekeeping.sweep()
    assert sent_jobs.ids(jobs.REPORT_COMMITMENT) == []
    with database.transaction() as session:
        sources.add(session, "COMMITTER", "127.0.0.1", port=peer.port, who="test")
    peer.asks((DIGITAL_X_RAY, "1.2.3"), transaction_uid="1.2.3.79")
    housekeeping.sweep()
    commitment.report_commitment(1)
    assert peer.hears()["transaction_uid"] == "1.2.3.78"


def test_other_requests_are_served_while_the_report_waits_for_its_answer(receiving: Site) -> None:
    kept = stored(receiving)
    waiting: list[Any] = []

    def on_report(event: Any) -> tuple[int, None]:
        waiting.append(event)
        return 0x0000, None

    with receiving.association(StorageCommitmentPushModel, DIGITAL_X_RAY, ae_title="SLOW") as association:
        association.bind(evt.EVT_N_EVENT_REPORT, on_report)
        for number in range(3):
            information = request(f"1.2.3.8.{number}", [kept])
            association.send_n_action(information, 1, StorageCommitmentPushModel, WELL_KNOWN)
            assert eventually(lambda expected=number + 1: len(waiting) == expected)  # type: ignore[misc]
            assert association.send_c_store(make_radiograph()).Status == Status.SUCCESS


def test_source_that_is_away_is_tried_again_with_growing_pauses(
    receiving: Site, with_port: Peer, sent_jobs: RecordedJobs, frozen: Clock
) -> None:
    kept = stored(receiving)
    with_port.asks(kept, seconds=1)
    with_port.end()
    work(sent_jobs)
    assert row().last_error.startswith("Nothing answers for COMMITTER at 127.0.0.1:")
    pauses = []
    for _ in range(9):
        pauses.append((row().next_attempt_at - frozen.time).total_seconds())
        frozen.advance(seconds=pauses[-1] - 1)
        commitment.report_commitment(row().id)
        frozen.advance(seconds=1)
        commitment.report_commitment(row().id)
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert row().attempts == 10


def test_answer_that_is_due_is_found_by_the_sweep_and_old_ones_are_given_up(
    receiving: Site, with_port: Peer, sent_jobs: RecordedJobs, frozen: Clock
) -> None:
    with_port.asks(stored(receiving), seconds=1)
    sent_jobs.clear()
    housekeeping.sweep()
    assert sent_jobs.ids(jobs.REPORT_COMMITMENT) == [row().id]
    frozen.advance(days=4)
    sent_jobs.clear()
    housekeeping.sweep()
    assert sent_jobs.ids(jobs.REPORT_COMMITMENT) == []
    assert row().state is CommitmentState.GIVEN_UP
    assert len(receiving.events("commitment.given_up")) == 1


def test_unreachable_source_puts_off_all_its_requests(
    receiving: Site, with_port: Peer, sent_jobs: RecordedJobs, frozen: Clock
) -> None:
    kept = stored(receiving)
    for _ in range(3):
        with_port.asks(kept, seconds=1)
        with_port.end()
    commitment.report_commitment(1)
    with database.reading() as session:
        assert commitments.due(session) == []


def test_job_that_runs_twice_reports_once(receiving: Site, with_port: Peer, sent_jobs: RecordedJobs) -> None:
    with_port.asks(stored(receiving))
    work(sent_jobs)
    work(sent_jobs)
    assert row().attempts == 1


def test_same_request_again_is_answered_again_and_other_images_are_refused(
    receiving: Site, with_port: Peer, sent_jobs: RecordedJobs
) -> None:
    kept = stored(receiving)
    for _ in range(2):
        assert with_port.asks(kept, transaction_uid="1.2.3.80") == Status.SUCCESS
        work(sent_jobs)
        assert with_port.hears()["committed"] == [kept[1]]
    assert with_port.asks((DIGITAL_X_RAY, "1.2.9"), transaction_uid="1.2.3.80") == Status.INVALID_ARGUMENT
    assert row().state is CommitmentState.REPORTED


@pytest.mark.parametrize(
    ("information", "action", "instance", "status"),
    [
        (request("1.2.3", []), 1, WELL_KNOWN, Status.INVALID_ARGUMENT),
        (request("", [(DIGITAL_X_RAY, "1.2.3")]), 1, WELL_KNOWN, Status.INVALID_ARGUMENT),
        (request("1.2.3", [(DIGITAL_X_RAY, "../etc")]), 1, WELL_KNOWN, Status.INVALID_ARGUMENT),
        (None, 1, WELL_KNOWN, Status.INVALID_ARGUMENT),
        (request("1.2.3", [(DIGITAL_X_RAY, "1.2.3")]), 7, WELL_KNOWN, Status.NO_SUCH_ACTION),
        (request("1.2.3", [(DIGITAL_X_RAY, "1.2.3")]), 1, "1.2.3", Status.NO_SUCH_INSTANCE),
    ],
)
def test_request_that_breaks_the_rules_is_refused_with_the_right_status(
    receiving: Site, information: Dataset | None, action: int, instance: str, status: Status
) -> None:
    with receiving.association(StorageCommitmentPushModel) as association:
        answer, _ = association.send_n_action(information, action, StorageCommitmentPushModel, instance)
    assert answer.Status == status
    assert receiving.events("commitment.requested") == []


@pytest.mark.parametrize("is_trusted", [True, False])
def test_source_with_tls_is_called_with_tls_and_must_show_a_certificate_we_trust(
    receiving: Site,
    peer: Peer,
    sent_jobs: RecordedJobs,
    ours: Authority,
    others: Authority,
    monkeypatch: pytest.MonkeyPatch,
    is_trusted: bool,
) -> None:
    set_certificates(monkeypatch, ours)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*(ours if is_trusted else others).issue("modality"))
    context.load_verify_locations(ours.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    taken: list[Any] = []
    entity = AE(ae_title="COMMITTER")
    entity.acse_timeout = 1  # so long its thread waits for us after the connection that only tries TLS
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    handlers = [(evt.EVT_N_EVENT_REPORT, lambda event: (taken.append(event.event_type) or 0x0000, None))]
    address = ("127.0.0.1", peer.port)
    server = entity.start_server(address, block=False, evt_handlers=handlers, ssl_context=context)
    with database.transaction() as session:
        sources.add(session, "COMMITTER", "127.0.0.1", port=peer.port, uses_tls=True, who="test")
    with receiving.association(StorageCommitmentPushModel, ae_title="COMMITTER") as association:
        information = request("1.2.3", [stored(receiving)])
        association.send_n_action(information, 1, StorageCommitmentPushModel, WELL_KNOWN)
    work(sent_jobs)
    server.shutdown()
    assert taken == ([ALL_COMMITTED] if is_trusted else [])
    assert ("unable to get local issuer certificate" in row().last_error) is not is_trusted


def test_database_away_is_a_resource_limitation(receiving: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving.association(StorageCommitmentPushModel) as association, monkeypatch.context() as away:
        away.setenv("WORKLIST_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
        forget()
        information = request("1.2.3", [(DIGITAL_X_RAY, "1.2.3")])
        answer, _ = association.send_n_action(information, 1, StorageCommitmentPushModel, WELL_KNOWN)
        assert answer.Status == Status.RESOURCE_LIMITATION
    forget()
