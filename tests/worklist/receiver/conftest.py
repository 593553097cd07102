"""A receiver for each test."""

from collections.abc import Iterator

import pytest

from tests.conftest import RecordedJobs
from tests.worklist.receiver.modality import Site
from worklist.settings import Settings


@pytest.fixture
def receiving(site: Settings, sent_jobs: RecordedJobs) -> Iterator[Site]:
    """A receiver of a fresh site."""
    running = Site()
    yield running
    running.receiver.stop(1)
