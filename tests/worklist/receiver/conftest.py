"""A receiver for each test."""

from collections.abc import Iterator

import pytest

from tests.conftest import RecordedJobs
from tests.ports import free_port
from tests.worklist.receiver.certificates import Authority, set_certificates
from tests.worklist.receiver.modality import Site
from tests.worklist.receiver.secured import Secured
from worklist.settings import Settings


@pytest.fixture
def receiving(site: Settings, sent_jobs: RecordedJobs) -> Iterator[Site]:
    """A receiver of a fresh site."""
    running = Site()
    yield running
    running.receiver.stop(1)


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The hospital's own certificate authority."""
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody here trusts."""
    return Authority(tmp_path_factory.mktemp("others"))


@pytest.fixture
def configured(site: Settings, ours: Authority, monkeypatch: pytest.MonkeyPatch) -> int:
    """Set certificate, key and client CA; return the TLS port."""
    port = free_port()
    monkeypatch.setenv("WORKLIST_TLS_PORT", str(port))
    set_certificates(monkeypatch, ours)
    return port


@pytest.fixture
def secured(configured: int, ours: Authority, sent_jobs: RecordedJobs) -> Iterator[Secured]:
    """A receiver that wants client certificates."""
    running = Secured(ours)
    yield running
    running.receiver.stop(1)
