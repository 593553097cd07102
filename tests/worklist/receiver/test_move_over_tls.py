"""C-MOVE to a destination that is called with TLS: who wants our certificate, and who is not trusted."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as MOVE

from tests.conftest import forget
from tests.worklist.datasets import make_radiograph
from tests.worklist.receiver.certificates import Authority, set_certificates
from tests.worklist.receiver.dcmtk import Destination
from tests.worklist.receiver.modality import Site
from worklist import database
from worklist.intake import sources
from worklist.receiver.statuses import Status

STUDY = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.1"}

Opened = Callable[..., Destination]


@pytest.fixture
def held(receiving: Site, ours: Authority, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with a certificate, and a study of two images: a small one, and one of many TLS records."""
    set_certificates(monkeypatch, ours)
    large = {"Rows": 2000, "Columns": 2000, "PixelData": bytes(8_000_000)}
    receiving.store(make_radiograph(**STUDY, SOPInstanceUID="1.9.1"))
    receiving.store(make_radiograph(**STUDY, SOPInstanceUID="1.9.2", **large))
    return receiving


@pytest.fixture
def opened(held: Site, tmp_path: Path) -> Iterator[Opened]:
    """Start a storescp and make it a source that is called with TLS."""
    with ExitStack() as running:

        def start(*options: str) -> Destination:
            destination = Destination(tmp_path / "destination", *options)
            running.callback(destination.stop)
            with database.transaction() as session:
                sources.add(
                    session, "DESTINATION", "127.0.0.1", port=destination.port, uses_tls=True, who="test"
                )
            return destination

        yield start


def secured(shown: Authority, trusted: Authority) -> tuple[str, ...]:
    """Return DCMTK's options to show a certificate, and to want one of an authority."""
    certificate, key = shown.issue("destination")
    return ("+tls", str(key), str(certificate), "+cf", str(trusted.certificate))


def move(held: Site) -> tuple[Dataset, Dataset | None]:
    """Move the study and return the last answer, with what failed."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "1.2.1"
    with held.association(MOVE) as association:
        return list(association.send_c_move(identifier, "DESTINATION", MOVE))[-1]


def is_said(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return any("images not sent" in line and text in line for line in caplog.messages)


def test_images_go_over_tls_to_a_destination_that_wants_our_certificate(
    held: Site, opened: Opened, ours: Authority
) -> None:
    destination = opened(*secured(shown=ours, trusted=ours))
    answer, _ = move(held)
    assert (answer.Status, answer.NumberOfCompletedSuboperations) == (Status.SUCCESS, 2)
    assert sorted(path.stat().st_size > 8_000_000 for path in destination.files()) == [False, True]


def test_nothing_goes_to_a_destination_whose_certificate_we_do_not_trust(
    held: Site, opened: Opened, ours: Authority, others: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    destination = opened(*secured(shown=others, trusted=ours))
    answer, failed = move(held)
    assert answer.Status == Status.SUB_OPERATIONS_IMPOSSIBLE
    assert failed is not None
    assert list(failed.FailedSOPInstanceUIDList) == ["1.9.1", "1.9.2"]
    assert destination.files() == []
    assert is_said(caplog, "The TLS handshake with DESTINATION at 127.0.0.1:")
    assert is_said(caplog, "failed: unable to get local issuer certificate.")


def test_destination_that_does_not_trust_our_certificate_gets_nothing(
    held: Site, opened: Opened, ours: Authority, others: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    destination = opened(*secured(shown=ours, trusted=others))
    answer, _ = move(held)
    assert (answer.Status, answer.NumberOfFailedSuboperations) == (Status.SUB_OPERATIONS_IMPOSSIBLE, 2)
    assert destination.files() == []
    assert is_said(caplog, "no association came about over TLS")


def test_images_are_never_sent_in_plain_text_instead(held: Site, opened: Opened) -> None:
    destination = opened()
    assert move(held)[0].Status == Status.SUB_OPERATIONS_IMPOSSIBLE
    assert destination.files() == []


def test_site_without_a_ca_says_what_it_lacks(
    held: Site,
    opened: Opened,
    ours: Authority,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    opened(*secured(shown=ours, trusted=ours))
    monkeypatch.delenv("WORKLIST_TLS_CLIENT_CA")
    forget()
    answer, failed = move(held)
    assert answer.Status == Status.SUB_OPERATIONS_IMPOSSIBLE
    assert failed is not None
    assert list(failed.FailedSOPInstanceUIDList) == ["1.9.1", "1.9.2"]
    assert is_said(caplog, "needs WORKLIST_TLS_CLIENT_CA, to know whom to trust")
