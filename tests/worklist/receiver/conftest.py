"""A receiver for each test."""

from collections.abc import Iterator

import pytest

from tests.conftest import RecordedJobs
from tests.worklist.receiver.certificates import Authority
from tests.worklist.receiver.modality import Site
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
