"""Peers that stall, lie, vanish, or speak another language do no harm to the others."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import forget
from tests.worklist.datasets import make_radiograph
from tests.worklist.receiver.modality import (
    Site,
    association_request,
    data_pdu,
    eventually,
    store_command,
)
from worklist.receiver import hardening, places
from worklist.receiver.statuses import Status

RELEASE = b"\x05\0\0\0\0\x04\0\0\0\0"
ABORT, ACCEPT, DATA = 7, 2, 4


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers have one second instead of thirty."""
    monkeypatch.setattr(hardening, "STALL_SECONDS", 1.0)


def connections() -> int:
    """Return how many threads serve a connection."""
    return sum(
        "process_request" in thread.name or "Acceptor" in thread.name for thread in threading.enumerate()
    )


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def all_ended() -> bool:
    return eventually(lambda: connections() == 0)


def still_serves(receiving: Site) -> bool:
    return bool(receiving.store(make_radiograph()).Status == Status.SUCCESS)


def answer_to(receiving: Site, *pdus: bytes) -> int:
    """Open an association, send PDUs, and return the type of the PDU that answers the last of them."""
    with receiving.connection() as peer:
        peer.sendall(association_request())
        assert peer.recv(4096)[0] == ACCEPT
        for pdu in pdus:
            peer.sendall(pdu)
        received = peer.recv(4096)
        return received[0] if received else 0


def test_peer_that_stalls_inside_a_pdu_is_dropped(receiving: Site) -> None:
    with receiving.connection() as peer:
        peer.sendall(association_request()[:40])
        assert peer.recv(1) == b""
    assert all_ended()
    assert still_serves(receiving)


def test_three_bytes_and_silence_are_dropped(receiving: Site) -> None:
    with receiving.connection() as peer:
        peer.sendall(b"\x01\0\0")
        assert peer.recv(1) == b""
    assert all_ended()


def test_trickle_of_bytes_is_dropped(receiving: Site) -> None:
    with receiving.connection() as peer:
        started = time.monotonic()
        with suppress(OSError):
            for byte in association_request():
                peer.sendall(bytes([byte]))
                time.sleep(0.1)
        assert time.monotonic() - started < 8
    assert all_ended()


@pytest.mark.parametrize("is_established", [False, True])
def test_claim_of_a_four_gigabyte_pdu_is_not_believed(receiving: Site, is_established: bool) -> None:
    with receiving.connection() as peer:
        if is_established:
            peer.sendall(association_request())
            assert peer.recv(4096)[0] == ACCEPT
        peer.sendall(b"\x04\0\xff\xff\xff\xff" if is_established else association_request(0xFFFFFFFF))
        with suppress(OSError):
            peer.sendall(bytes(4 * 1024**2))
        with suppress(ConnectionError):
            assert peer.recv(1) == b""
    assert all_ended()
    assert still_serves(receiving)


def test_http_on_the_dicom_port_is_hung_up_on(receiving: Site) -> None:
    with receiving.connection() as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: worklist\r\n\r\n")
        received = peer.recv(4096)
        assert received == b"" or received[0] == ABORT
    assert all_ended()
    assert still_serves(receiving)


@pytest.mark.parametrize(
    "fragments",
    [
        [data_pdu(3, b"no command at all")],
        [data_pdu(2, b"a data set without a command")],
        [data_pdu(1, bytes(60_000))] * 3,
        [b"\x04\0\0\0\0\x08\0\0\0\x02\x05\x03AB"],
    ],
    ids=["garbage", "data set first", "endless command", "unknown context"],
)
def test_what_is_no_message_aborts_the_association(receiving: Site, fragments: list[bytes]) -> None:
    assert answer_to(receiving, *fragments) in {ABORT, 0}
    assert all_ended()
    assert receiving.spooled() == []
    assert still_serves(receiving)


def test_empty_data_set_is_answered_with_a_status(receiving: Site) -> None:
    assert answer_to(receiving, data_pdu(3, store_command()), data_pdu(2, b"")) == DATA
    assert receiving.events("instance.refused")[0].detail["status"] == "0xC000"


def test_fragments_without_a_last_one_are_aborted(receiving: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKLIST_MAXIMUM_OBJECT_BYTES", "100000")
    forget()
    endless = [data_pdu(0, bytes(60_000))] * 5
    assert answer_to(receiving, data_pdu(3, store_command()), *endless) == ABORT
    assert all_ended()
    assert receiving.spooled() == []


def test_aborted_transfers_leave_neither_files_nor_descriptors(receiving: Site) -> None:
    assert still_serves(receiving)
    assert all_ended()
    before = descriptors()
    for _ in range(20):
        with receiving.connection() as peer:
            peer.sendall(association_request())
            peer.recv(4096)
            peer.sendall(data_pdu(3, store_command()) + data_pdu(0, bytes(10_000)))
            assert eventually(lambda: len(receiving.spooled()) == 1)
        assert eventually(lambda: receiving.spooled() == [])
    assert all_ended()
    assert descriptors() <= before
    assert receiving.count() == 1


def test_sender_that_is_killed_in_the_middle_leaves_nothing(receiving: Site) -> None:
    with receiving.connection() as peer:
        peer.sendall(association_request())
        peer.recv(4096)
        peer.sendall(data_pdu(3, store_command()) + data_pdu(0, bytes(10_000))[:5000])
    assert all_ended()
    assert (receiving.spooled(), receiving.files()) == ([], [])


def test_many_silent_connections_do_not_keep_others_out(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKLIST_MAXIMUM_ASSOCIATIONS", "40")
    receiving.restart()
    silent = [receiving.connection() for _ in range(20)]
    assert still_serves(receiving)
    for peer in silent:
        with peer:
            pass
    assert all_ended()


def test_more_associations_than_allowed_are_rejected(receiving: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKLIST_MAXIMUM_ASSOCIATIONS", "2")
    receiving.restart()
    with receiving.association(), receiving.association(), receiving.connection() as third:
        third.sendall(association_request())
        rejected = third.recv(4096)
    assert rejected[:1] == b"\x03"
    assert rejected[7:10] == b"\x02\x03\x02"  # transient, presentation related, local limit exceeded
    assert eventually(lambda: bool(receiving.events("association.refused")))  # noted after it was sent
    (event,) = receiving.events("association.refused")
    assert event.detail["why"] == "too_many_associations"
    assert "WORKLIST_MAXIMUM_ASSOCIATIONS" in event.detail["reason"]


def test_association_that_idles_too_long_is_aborted(receiving: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    receiving.receiver.server.ae.network_timeout = 0.3
    with receiving.connection() as peer:
        peer.sendall(association_request())
        assert peer.recv(4096)[0] == ACCEPT
        assert peer.recv(4096)[0] == ABORT
    assert all_ended()


def test_silent_association_gives_its_place_to_another_only_if_none_is_free(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "GRANTED_SECONDS", 0.5)
    receiving.receiver.server.ae.maximum_associations = 2
    with receiving.connection() as silent, receiving.association() as other:
        silent.sendall(association_request())
        assert silent.recv(4096)[0] == ACCEPT
        time.sleep(1)
        # Nobody has needed a place: both go on.
        assert other.send_c_store(make_radiograph()).Status == Status.SUCCESS
        assert still_serves(receiving)
        assert silent.recv(4096)[0] == ABORT
        assert other.send_c_store(make_radiograph()).Status == Status.SUCCESS


def test_association_that_spoke_just_now_keeps_its_place(receiving: Site) -> None:
    receiving.receiver.server.ae.maximum_associations = 1
    with receiving.association() as busy, receiving.connection() as late:
        late.sendall(association_request())
        assert late.recv(4096)[:1] == b"\x03"
        assert busy.send_c_store(make_radiograph()).Status == Status.SUCCESS


def test_silent_peer_that_does_not_hear_its_abort_gives_its_place_too(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "GRANTED_SECONDS", 0)
    receiving.receiver.server.ae.maximum_associations = 1
    with receiving.connection() as deaf:
        deaf.sendall(association_request())
        assert deaf.recv(4096)[0] == ACCEPT
        assert still_serves(receiving)


def test_release_is_answered(receiving: Site) -> None:
    assert answer_to(receiving, RELEASE) == 6
    assert all_ended()


def test_request_without_a_transfer_syntax_is_aborted(receiving: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving.receiver.server.ae, "_acse_timeout", 1)
    with receiving.connection() as peer:
        peer.sendall(without_transfer_syntax(association_request()))
        assert peer.recv(4096)[0] == ABORT
        assert all_ended()
    assert still_serves(receiving)


def without_transfer_syntax(request: bytes) -> bytes:
    """Empty the transfer syntax of the one presentation context (PS3.8 9.3.2.2)."""
    uid = b"1.2.840.10008.1.2.1"
    at = request.index(b"\x40\0\0" + bytes([len(uid)]) + uid)
    context = request.rindex(b"\x20\0", 0, at)
    shorter = bytearray(request[: at + 4] + request[at + 4 + len(uid) :])
    shorter[at + 3] = 0
    for place in (context + 2, 4):
        length = int.from_bytes(shorter[place : place + 2], "big") - len(uid)
        shorter[place : place + 2] = length.to_bytes(2, "big")
    return bytes(shorter)
