"""STOW-RS: instances over the web take the way of every C-STORE."""

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from tests.conftest import RecordedJobs, forget
from tests.web.conftest import PASSWORD, Visitor
from tests.worklist.datasets import make_radiograph, uids, write, write_raw
from tests.worklist.receiver.modality import Site
from worklist import accounts, database, jobs, settings
from worklist.tables import AuditEvent, Instance, Role, Source

BOUNDARY = "frontier"
MULTIPART = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
FAILED, STORED, OTHER, REASON = "00081198", "00081199", "0008119A", "00081197"

Send = Callable[..., TestResponse]


def body(*files: bytes) -> bytes:
    head = b"--frontier\r\nContent-Type: application/dicom\r\n\r\n"
    return b"".join(head + file + b"\r\n" for file in files) + b"--frontier--\r\n"


@pytest.fixture(autouse=True)
def service(people: None) -> None:
    """The account of a sender, whose first password has been changed, and one where it has not."""
    with database.transaction() as session:
        for username, must_change in (("gateway", False), ("newcomer", True)):
            accounts.create_user(
                session,
                username=username,
                display_name="",
                password=PASSWORD,
                role=Role.SERVICE,
                must_change_password=must_change,
            )


@pytest.fixture
def send(client: Visitor, sent_jobs: RecordedJobs) -> Send:
    """Post a body as the gateway, unless somebody else is named."""

    def send(content: bytes, path: str = "/dicom-web/studies", **options: Any) -> TestResponse:
        username = options.pop("username", "gateway")
        token = base64.b64encode(f"{username}:{options.pop('password', PASSWORD)}".encode()).decode()
        headers = {"Authorization": f"Basic {token}", "Accept": "application/dicom+json"}
        return client.post(
            path, data=content, content_type=options.pop("content_type", MULTIPART), headers=headers
        )

    return send


def image(tmp_path: Path, **values: Any) -> bytes:
    return write(make_radiograph(**values), tmp_path / "image.dcm").read_bytes()


def count(table: Any = Instance) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def items(answer: TestResponse, tag: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(answer.data).get(tag, {}).get("Value", [])
    return found


def test_images_are_kept_registered_and_analysed(send: Send, tmp_path: Path, sent_jobs: RecordedJobs) -> None:
    answer = send(body(image(tmp_path), image(tmp_path, SOPInstanceUID="1.2.77")))
    assert (answer.status_code, answer.mimetype) == (200, "application/dicom+json")
    assert items(answer, STORED)[1]["00081155"]["Value"] == ["1.2.77"]
    assert len(sent_jobs.ids(jobs.ANALYSE_INSTANCE)) == count() == 2
    with database.reading() as session:
        source = session.scalars(select(Source)).one()
        assert (source.ae_title, source.address) == ("GATEWAY", "127.0.0.1")


def test_same_image_by_web_and_by_dimse_is_one_image(
    send: Send, tmp_path: Path, site: settings.Settings
) -> None:
    sent = image(tmp_path)
    assert send(body(sent)).status_code == 200
    receiving = Site()
    try:
        assert receiving.storescu(tmp_path / "image.dcm", options=("-xe",)).returncode == 0
    finally:
        receiving.receiver.stop(1)
    assert send(body(sent)).status_code == 200
    assert (count(), len(list(site.archive_folder.glob("2*/*/*/*.dcm")))) == (1, 1)


def test_what_cannot_be_kept_is_listed_beside_what_is(send: Send, tmp_path: Path) -> None:
    broken = write_raw(tmp_path / "broken.dcm", *uids()[:2]).read_bytes()
    answer = send(body(image(tmp_path), broken, b"Dear colleague"))
    assert answer.status_code == 202
    assert (len(items(answer, STORED)), count()) == (1, 1)
    assert items(answer, FAILED)[0]["00081155"]["Value"] == ["1.2.3.4"]
    assert items(answer, FAILED)[0][REASON]["Value"] == items(answer, OTHER)[0][REASON]["Value"] == [0xC000]


def test_nothing_kept_is_a_conflict(send: Send) -> None:
    answer = send(body(b"Dear colleague"))
    assert answer.status_code == 409
    assert STORED not in json.loads(answer.data)


def test_image_of_another_study_than_the_address_says_is_refused(send: Send, tmp_path: Path) -> None:
    ours = image(tmp_path, StudyInstanceUID="1.2.5")
    other = image(tmp_path, StudyInstanceUID="1.2.6")
    answer = send(body(ours, other), "/dicom-web/studies/1.2.5")
    assert (answer.status_code, count()) == (202, 1)
    assert items(answer, FAILED)[0][REASON]["Value"] == [0xA900]


def test_image_that_contradicts_what_is_known_is_kept_apart_with_a_warning(send: Send, tmp_path: Path) -> None:
    send(body(image(tmp_path, SOPInstanceUID="1.2.78")))
    answer = send(body(image(tmp_path, SOPInstanceUID="1.2.78", StudyInstanceUID="1.2.79")))
    assert (answer.status_code, items(answer, STORED)[0]["00081196"]["Value"]) == (202, [0xB007])


def test_full_disk_is_out_of_resources(send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKLIST_MINIMUM_FREE_BYTES", str(10**18))
    forget()
    answer = send(body(image(tmp_path)))
    assert (answer.status_code, items(answer, FAILED)[0][REASON]["Value"]) == (409, [0xA700])


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"username": "nobody"}, 401),
        ({"password": "another long password"}, 401),
        ({"username": "rita"}, 403),
        ({"username": "newcomer"}, 403),
        ({"content_type": "application/dicom"}, 415),
        ({"content_type": MULTIPART.replace("dicom", "dicom+json")}, 415),
        ({"content_type": MULTIPART.replace("; boundary=frontier", "")}, 400),
        ({"content_type": MULTIPART.replace("frontier", "another")}, 400),
    ],
)
def test_request_that_must_not_be_answered_keeps_nothing(
    send: Send, tmp_path: Path, options: dict[str, str], status: int
) -> None:
    answer = send(body(image(tmp_path)), **options)
    assert (answer.status_code, count()) == (status, 0)
    assert ("Basic" in answer.headers.get("WWW-Authenticate", "")) is (status == 401)


def test_cookie_of_a_person_does_not_count(rita: Visitor, tmp_path: Path) -> None:
    assert (
        rita.post("/dicom-web/studies", data=body(image(tmp_path)), content_type=MULTIPART).status_code == 401
    )


def test_source_that_was_switched_off_stays_so(send: Send, tmp_path: Path) -> None:
    send(body(image(tmp_path)))
    with database.transaction() as session:
        session.scalars(select(Source)).one().is_enabled = False
    answer = send(body(image(tmp_path)))
    assert items(answer, FAILED)[0][REASON]["Value"] == [0x0124]


def test_body_that_breaks_off_leaves_no_half_image(send: Send, tmp_path: Path, site: settings.Settings) -> None:
    large = image(tmp_path, PixelData=bytes(300_000))
    assert send(body(large)[:200_000]).status_code == 400
    assert (count(), list((site.archive_folder / "spool").glob("*.part"))) == (0, [])


def test_object_above_the_limit_is_refused_and_the_next_one_kept(
    send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKLIST_MAXIMUM_OBJECT_BYTES", "200000")
    forget()
    answer = send(body(image(tmp_path, PixelData=bytes(250_000)), image(tmp_path)))
    assert (answer.status_code, count()) == (202, 1)
    assert send(body(image(tmp_path, PixelData=bytes(900_000)))).status_code == 413


def test_no_patient_is_named_in_the_audit_stream(send: Send, tmp_path: Path) -> None:
    send(body(image(tmp_path, PatientName="Secret^Person"), b"Secret^Person"))
    with database.reading() as session:
        details = [str(detail) for detail in session.scalars(select(AuditEvent.detail))]
    assert [detail for detail in details if "Secret" in detail] == []


def test_curl_sends_a_large_image_in_chunks(live_server: str, tmp_path: Path, sent_jobs: RecordedJobs) -> None:
    (tmp_path / "body").write_bytes(body(image(tmp_path, PixelData=bytes(20_000_000))))
    done = subprocess.run(
        [
            *(
                "curl",
                "-sS",
                "--fail-with-body",
                "-u",
                f"gateway:{PASSWORD}",
                "-H",
                f"Content-Type: {MULTIPART}",
            ),
            *("--data-binary", f"@{tmp_path / 'body'}", f"{live_server}/dicom-web/studies"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    assert STORED in json.loads(done.stdout)
    assert count() == 1
