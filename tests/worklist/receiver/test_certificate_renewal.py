"""Renewed certificates are taken without a restart: by new associations, while those that are open go on."""

import os
import shutil
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pynetdicom import AE, build_context

from tests.conftest import RecordedJobs, forget
from tests.worklist.datasets import DIGITAL_X_RAY, make_radiograph, write
from tests.worklist.receiver.certificates import Authority
from tests.worklist.receiver.secured import Secured, secured_connection
from worklist.receiver.statuses import Status

CERTIFICATE, KEY, CA = "tls_certificate", "tls_key", "tls_client_ca"


def copied(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def replaced(source: Path, target: Path) -> None:
    os.replace(shutil.copyfile(source, target.with_suffix(".new")), target)


@pytest.fixture
def folder(configured: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the site's certificate, key and CA as files of its own."""
    for name in (CERTIFICATE, KEY, CA):
        shutil.copyfile(os.environ[f"WORKLIST_{name.upper()}"], tmp_path / name)
        monkeypatch.setenv(f"WORKLIST_{name.upper()}", str(tmp_path / name))
    forget()
    return tmp_path


@pytest.fixture
def renewable(folder: Path, ours: Authority, sent_jobs: RecordedJobs) -> Iterator[Secured]:
    """A receiver whose files can be renewed."""
    running = Secured(ours)
    yield running
    running.receiver.stop(1)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write(make_radiograph(), tmp_path / "image.dcm")


def renew(folder: Path, authority: Authority, put: Callable[[Path, Path], None] = replaced) -> None:
    """Put another certificate and its key in the place of the site's."""
    certificate, key = authority.issue("renewed")
    put(certificate, folder / CERTIFICATE)
    put(key, folder / KEY)


def served(receiver: Secured) -> str:
    """Return the name in the certificate that a new connection is shown."""
    with secured_connection(receiver, receiver.ours, ssl.TLSVersion.TLSv1_3) as peer:
        subject = dict(pair for (pair,) in peer.getpeercert()["subject"])  # type: ignore[index,misc]
    return str(subject["commonName"])


def said(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    return [line for line in list(caplog.messages) if text in line]


@pytest.mark.parametrize("put", [copied, replaced])
def test_new_connections_are_shown_the_renewed_certificate(
    renewable: Secured, folder: Path, ours: Authority, put: Callable[[Path, Path], None]
) -> None:
    assert served(renewable) == "receiver"
    renew(folder, ours, put)
    assert served(renewable) == "renewed"


def test_open_association_goes_on(renewable: Secured, folder: Path, ours: Authority) -> None:
    context = ssl.create_default_context(cafile=ours.certificate)
    context.check_hostname = False
    context.load_cert_chain(*ours.issue("modality"))
    association = AE("MODALITY").associate(
        "127.0.0.1", renewable.tls_port, [build_context(DIGITAL_X_RAY)], tls_args=(context, "127.0.0.1")
    )
    assert association.send_c_store(make_radiograph()).Status == Status.SUCCESS
    renew(folder, ours)
    assert served(renewable) == "renewed"
    assert association.send_c_store(make_radiograph()).Status == Status.SUCCESS
    association.release()


def test_peers_of_a_new_authority_are_let_in_and_those_of_the_former_are_not(
    renewable: Secured, folder: Path, ours: Authority, others: Authority, image: Path
) -> None:
    assert renewable.send(image, *renewable.as_peer(others)).returncode != 0
    replaced(others.certificate, folder / CA)
    assert renewable.send(image, *renewable.as_peer(others)).returncode == 0
    assert renewable.send(image, *renewable.as_peer(ours)).returncode != 0


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (CERTIFICATE, "are no pair of PEM files"),
        (KEY, "are no pair of PEM files"),
        (CA, "holds no PEM certificate"),
    ],
)
def test_broken_file_is_said_once_and_leaves_the_former_in_use(
    renewable: Secured, folder: Path, caplog: pytest.LogCaptureFixture, name: str, why: str
) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    assert [served(renewable) for _ in range(3)] == ["receiver"] * 3
    (line,) = said(caplog, "certificates not renewed")
    assert why in line
    assert f"WORKLIST_{name.upper()}={folder / name}" in line


def test_missing_file_leaves_the_former_in_use_until_it_is_there(
    renewable: Secured, folder: Path, ours: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / KEY).unlink()
    assert served(renewable) == "receiver"
    renew(folder, ours)
    assert served(renewable) == "renewed"
    assert len(said(caplog, "cannot be read: No such file or directory")) == 1
    assert len(said(caplog, "certificates renewed")) == 1


def test_certificate_without_its_key_yet_is_taken_with_it(
    renewable: Secured, folder: Path, ours: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = ours.issue("renewed")
    replaced(certificate, folder / CERTIFICATE)
    assert served(renewable) == "receiver"
    replaced(key, folder / KEY)
    assert served(renewable) == "renewed"
    assert "key values mismatch" in said(caplog, "certificates not renewed")[0]


def test_nothing_is_said_while_nothing_changes(
    renewable: Secured, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert served(renewable) == served(renewable) == "receiver"
    assert said(caplog, "renewed") == []
