"""The fixture that runs a test on SQLite and on PostgreSQL; a conftest takes it in place of ``site``."""

from collections.abc import Iterator

import pytest

from tests.conftest import forget
from worklist import database, settings

ENGINES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql))


@pytest.fixture(params=ENGINES)
def site(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, site: settings.Settings
) -> Iterator[settings.Settings]:
    """The settings of a fresh site, on each of the two databases in turn."""
    if request.param == "postgresql":
        monkeypatch.setenv("WORKLIST_DATABASE_URL", request.getfixturevalue("postgresql_url"))
        forget()
    yield settings.current()
    database.engine().dispose()
