"""DICOM over TLS, with DCMTK as peer: who is let in, who is not and why, and who cannot hold up the others."""

import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.conftest import RecordedJobs, forget
from tests.worklist.datasets import make_radiograph, write
from tests.worklist.receiver.certificates import Authority
from tests.worklist.receiver.modality import (
    association_request,
    data_pdu,
    eventually,
    store_command,
)
from tests.worklist.receiver.secured import Secured, secured_connection
from worklist import settings
from worklist.errors import Invalid, Unavailable
from worklist.receiver import hardening, scp

SILENT = 1.5


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A radiograph of a size that takes many TLS records."""
    return write(make_radiograph(Rows=1000, Columns=1000, PixelData=bytes(2_000_000)), tmp_path / "image.dcm")


def refused(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    """Say if the log has one line that names the reason and the address."""

    def has_it() -> bool:
        said = list(caplog.messages)
        return any("TLS refused" in line and text in line and "127.0.0.1" in line for line in said)

    return eventually(has_it)


def test_modality_with_a_certificate_of_ours_sends(secured: Secured, ours: Authority, image: Path) -> None:
    done = secured.send(image, *secured.as_peer(ours))
    assert done.returncode == 0, done.stderr
    assert (secured.count(), len(secured.files())) == (1, 1)


def test_plain_port_stays_open_beside_it(secured: Secured, image: Path) -> None:
    assert secured.storescu(image).returncode == 0
    assert secured.count() == 1


def test_same_number_for_both_ports_means_tls_only(
    configured: int, ours: Authority, sent_jobs: RecordedJobs, monkeypatch: pytest.MonkeyPatch, image: Path
) -> None:
    monkeypatch.setenv("WORKLIST_RECEIVER_PORT", str(configured))
    forget()
    running = Secured(ours)
    try:
        assert running.port == running.tls_port
        assert running.storescu(image).returncode != 0
        assert running.send(image, *running.as_peer(ours)).returncode == 0
    finally:
        running.receiver.stop(1)


def test_without_a_client_certificate_nobody_gets_in(
    secured: Secured, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert secured.send(image, *secured.anonymously()).returncode != 0
    assert refused(caplog, "peer did not return a certificate")
    assert secured.count() == 0


def test_certificate_of_another_authority_is_refused(
    secured: Secured, others: Authority, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert secured.send(image, *secured.as_peer(others)).returncode != 0
    assert refused(caplog, "unable to get local issuer certificate")
    assert secured.count() == 0


def test_expired_certificate_is_refused(
    secured: Secured, ours: Authority, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert secured.send(image, *secured.as_peer(ours, "expired", days=-1)).returncode != 0
    assert refused(caplog, "certificate has expired")


def test_without_a_client_ca_no_certificate_is_asked_for(
    configured: int, ours: Authority, sent_jobs: RecordedJobs, monkeypatch: pytest.MonkeyPatch, image: Path
) -> None:
    monkeypatch.delenv("WORKLIST_TLS_CLIENT_CA")
    forget()
    running = Secured(ours)
    try:
        assert running.send(image, *running.anonymously()).returncode == 0
    finally:
        running.receiver.stop(1)


def test_plain_dicom_on_the_tls_port_is_refused(
    secured: Secured, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert secured.send(image).returncode != 0
    assert refused(caplog, "The handshake failed: ")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_are_spoken(secured: Secured, ours: Authority, version: ssl.TLSVersion) -> None:
    with secured_connection(secured, ours, version) as peer:
        peer.sendall(association_request())
        assert peer.recv(1) == b"\x02"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_older_versions_are_not_spoken(secured: Secured, ours: Authority) -> None:
    with pytest.raises(ssl.SSLError), secured_connection(secured, ours, ssl.TLSVersion.TLSv1_1):
        pass


def test_what_tls_has_decrypted_already_is_not_forgotten(secured: Secured, ours: Authority) -> None:
    # Two PDUs in one record: the second is in no buffer of the kernel's when the first has been read.
    with secured_connection(secured, ours, ssl.TLSVersion.TLSv1_3) as peer:
        peer.sendall(association_request())
        assert peer.recv(4096)[0] == 2
        peer.sendall(data_pdu(3, store_command()) + data_pdu(2, b""))
        assert peer.recv(4096)[0] == 4
    assert secured.events("instance.refused")[0].detail["status"] == "0xC000"


def test_silent_peer_holds_up_nobody_and_is_dropped(
    secured: Secured,
    ours: Authority,
    image: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(hardening, "STALL_SECONDS", SILENT)
    silent = [socket.create_connection(("127.0.0.1", secured.tls_port), timeout=20) for _ in range(5)]
    started = time.monotonic()
    assert secured.send(image, *secured.as_peer(ours)).returncode == 0
    assert time.monotonic() - started < SILENT
    for peer in silent:
        with peer:
            assert peer.recv(1) == b""
    assert time.monotonic() - started < 4 * SILENT
    assert refused(caplog, "The peer was silent for 1.5 s of the handshake.")


def test_handshake_that_trickles_is_dropped(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardening, "STALL_SECONDS", SILENT)
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", secured.tls_port), timeout=20) as peer:
        assert eventually(lambda: not trickles(peer), 4 * SILENT)
    assert time.monotonic() - started < 4 * SILENT


def test_stop_hangs_up_on_silent_peers(configured: int, ours: Authority, sent_jobs: RecordedJobs) -> None:
    running = Secured(ours)
    ports = (running.tls_port, running.port)
    silent = [socket.create_connection(("127.0.0.1", port), timeout=20) for port in ports]
    assert eventually(lambda: all(server.connections for server in running.receiver.servers))
    running.receiver.stop(0)
    assert not any(server.connections for server in running.receiver.servers)
    for peer in silent:
        with peer:
            assert peer.recv(1) in {b"", b"\x07"}  # hung up, or an A-ABORT first


def test_peers_in_their_handshake_are_limited(
    configured: int, ours: Authority, sent_jobs: RecordedJobs, monkeypatch: pytest.MonkeyPatch, image: Path
) -> None:
    monkeypatch.setattr("worklist.receiver.tls.MOST_HANDSHAKES", 2)
    monkeypatch.setattr(hardening, "STALL_SECONDS", SILENT)
    running = Secured(ours)
    try:
        silent = [socket.create_connection(("127.0.0.1", running.tls_port), timeout=20) for _ in range(3)]
        assert silent[2].recv(1) == b""
        assert [peer.recv(1) for peer in silent[:2]] == [b"", b""]
        for peer in silent:
            peer.close()
        assert running.send(image, *running.as_peer(ours)).returncode == 0
    finally:
        running.receiver.stop(1)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("TLS_KEY", "", r"TLS needs both WORKLIST_TLS_CERTIFICATE and WORKLIST_TLS_KEY"),
        ("TLS_KEY", "/nowhere/key.pem", r"WORKLIST_TLS_KEY=/nowhere/key\.pem cannot be read: No such file"),
        ("TLS_KEY", "{others}", r"are no pair of PEM files, or the key has a password: key values mismatch"),
        ("TLS_CERTIFICATE", "{text}", r"are no pair of PEM files"),
        ("TLS_CLIENT_CA", "{text}", r"WORKLIST_TLS_CLIENT_CA=.* holds no PEM certificate"),
    ],
)
def test_files_that_cannot_be_used_are_named_at_the_start(
    configured: int,
    others: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    sentence: str,
) -> None:
    (tmp_path / "text").write_text("no certificate")
    files = {"text": str(tmp_path / "text"), "others": str(others.issue("other")[1])}
    monkeypatch.setenv(f"WORKLIST_{variable}", value.format(**files))
    forget()
    with pytest.raises(Invalid, match=sentence):
        scp.start(settings.current(), port=0)


def test_key_with_a_password_does_not_ask_for_it(
    configured: int, ours: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKLIST_TLS_KEY", str(ours.locked("receiver")))
    forget()
    with pytest.raises(Invalid, match="or the key has a password"):
        scp.start(settings.current(), port=0)


def test_taken_tls_port_is_named_with_its_setting(secured: Secured) -> None:
    with pytest.raises(Unavailable, match=f"Port {secured.tls_port} is taken.*WORKLIST_TLS_PORT"):
        scp.start(settings.current(), port=0)


def trickles(peer: socket.socket) -> bool:
    """Send a byte of a TLS record of 512, and say if that was possible."""
    try:
        peer.sendall(b"\x16\x03\x01\x02\x00" if peer.gettimeout() == 20 else b"\0")
        peer.settimeout(19)
    except OSError:
        return False
    return True
