"""What every test may use: a migrated database, recorded jobs, a clock that can be set, people who return."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from worklist import clock, database, jobs, schema, settings

pytest_plugins = ["tests.postgresql"]


@pytest.fixture(scope="session", autouse=True)
def _log_lines() -> None:
    """Log through the standard library, as the product does.

    A thread that printed into what pytest captures, while a test ended and closed it, broke the interpreter.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    for library in ("pynetdicom", "pydicom"):
        logging.getLogger(library).setLevel(logging.CRITICAL)


@pytest.fixture(scope="session")
def migrated_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database with today's schema, made by the migrations once per run."""
    path = tmp_path_factory.mktemp("schema") / "template.sqlite"
    engine = database.make_engine(f"sqlite:///{path}")
    schema.upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    engine.dispose()
    return path


@pytest.fixture
def site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated_template: Path
) -> Iterator[settings.Settings]:
    """The settings of a fresh site: its own data folder and a migrated SQLite database."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "worklist.sqlite").write_bytes(migrated_template.read_bytes())
    monkeypatch.setenv("WORKLIST_DATA_FOLDER", str(data))
    monkeypatch.setenv("WORKLIST_SECRET_KEY", "a-secret-key-that-only-tests-ever-use")
    monkeypatch.setenv("WORKLIST_MINIMUM_FREE_BYTES", "0")
    monkeypatch.delenv("WORKLIST_DATABASE_URL", raising=False)
    forget()
    yield settings.current()
    database.forget_engine()
    settings.current.cache_clear()


def forget() -> None:
    """Let the next call read the environment again."""
    settings.current.cache_clear()
    database.forget_engine()


@pytest.fixture
def engine(site: settings.Settings) -> Engine:
    """The engine of the fresh site."""
    return database.engine()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """One connection in an outer transaction that is rolled back."""
    with engine.connect() as opened:
        outer = opened.begin()
        yield opened
        outer.rollback()


@pytest.fixture
def session(connection: Connection) -> Iterator[Session]:
    """A session whose commits are savepoints of the outer transaction."""
    with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as opened:
        yield opened


class RecordedJobs(list[tuple[str, int | None]]):
    """The jobs that were sent, as (name, id); recorded, not run: running hides the order of commits."""

    def ids(self, job: jobs.Job) -> list[int | None]:
        """Return the ids that a job was sent for."""
        return [about for name, about in self if name == job.name]


@pytest.fixture
def sent_jobs(monkeypatch: pytest.MonkeyPatch) -> RecordedJobs:
    """Record what would be sent to the broker."""
    recorded = RecordedJobs()

    def record(job: jobs.Job, about_id: int | None = None) -> None:
        recorded.append((job.name, about_id))

    monkeypatch.setattr(jobs, "send", record)
    return recorded


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

    def advance(self, **duration: float) -> None:
        """Move on by a duration, as ``timedelta`` takes it."""
        self.time += timedelta(**duration)


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the one clock."""
    stopped = Clock()
    monkeypatch.setattr(clock, "now", lambda: stopped.time)
    return stopped
