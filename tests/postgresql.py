"""A private PostgreSQL server for the tests: started once per run, an empty database for each test.

Nothing of an installed server is touched: own folder, own free port on the loopback address, no durability.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

import worklist.tables  # noqa: F401 - fills the metadata
from tests.ports import free_port
from worklist import database, schema
from worklist.database import Base

MISSING = (
    "These tests need PostgreSQL 15 or newer and found no 'initdb', neither on PATH nor in "
    "/usr/lib/postgresql/*/bin. Install the server (Debian: apt-get install postgresql), or leave these tests "
    "out on purpose with: pytest -m 'not postgresql'."
)
# PostgreSQL refuses to run as root; Debian's package brings this user.
UNPRIVILEGED_USER = "postgres"
# Without durability, since nothing outlives the run; loopback only.
OPTIONS = (
    "-c listen_addresses=127.0.0.1 -c fsync=off -c synchronous_commit=off -c full_page_writes=off "
    "-c max_connections=60 -c shared_buffers=32MB -c autovacuum=off -c log_min_messages=fatal"
)
# The order of letters that most sites have: it shows where a column needs the order of code points.
LOCALE = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"


class Server:
    """One server process with its data in a temporary folder."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # Not pytest's own temporary folder: that is closed to the user the server runs as.
        self._folder = Path(tempfile.mkdtemp(prefix="worklist-postgresql-"))
        self._data = self._folder / "data"
        self._numbers = count(1)
        self.port = free_port()

    def start(self) -> None:
        """Make the cluster and start the server; whatever happens later, the end of Python stops it."""
        if os.geteuid() == 0:
            shutil.chown(self._folder, UNPRIVILEGED_USER)
        self._run("initdb", "-A", "trust", "-U", "worklist", "-E", "UTF8", "--no-locale", "--no-sync")
        atexit.register(self.stop)
        options = f"{OPTIONS} -c port={self.port} -c unix_socket_directories={self._folder}"
        self._run("pg_ctl", "-w", "-t", "60", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop the server at once and remove its data; a second call does nothing."""
        atexit.unregister(self.stop)
        if self._folder.exists():
            self._run("pg_ctl", "-w", "-m", "immediate", "stop", check=False)
            shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, name: str) -> str:
        """Return the address of one database, as a site would configure it."""
        return f"postgresql://worklist@127.0.0.1:{self.port}/{name}"

    def create(self) -> str:
        """Make a database with a name of its own and return the name."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template0 {LOCALE}")
        return name

    def empty(self, name: str) -> None:
        """Remove all rows; five times faster than another database, and most tests have left none."""
        self._execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        tables = [table.name for table in Base.metadata.sorted_tables]
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            is_dirty = " OR ".join(f'EXISTS (SELECT FROM "{table}")' for table in tables)
            if connection.execute(f"SELECT {is_dirty}".encode()).fetchone() == (True,):
                names = ", ".join(f'"{table}"' for table in tables)
                connection.execute(f"TRUNCATE {names} RESTART IDENTITY".encode())

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        command = [str(self._programs / program), "-D", str(self._data), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", UNPRIVILEGED_USER, "--", *command]
        # The server inherits what it is given: a pipe would stay open, and a Ctrl-C would reach it.
        done = subprocess.run(
            command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        if check and done.returncode:
            log = self._folder / "log"
            pytest.fail(f"{program} failed. {log.read_text() if log.exists() else ''}", pytrace=False)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A running server; without PostgreSQL the tests that need it fail with a sentence."""
    programs = _programs()
    if programs is None:
        pytest.fail(MISSING, pytrace=False)
    server = Server(programs)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def _migrated_database(postgresql_server: Server) -> str:
    name = postgresql_server.create()
    engine = database.make_engine(postgresql_server.url(name))
    schema.upgrade(engine)
    engine.dispose()
    return name


@pytest.fixture
def postgresql_url(postgresql_server: Server, _migrated_database: str) -> Iterator[str]:
    """The address of a database with today's schema and no rows, whatever the test before left in it."""
    yield postgresql_server.url(_migrated_database)
    postgresql_server.empty(_migrated_database)


@pytest.fixture
def empty_postgresql_url(postgresql_server: Server) -> Iterator[str]:
    """The address of a database in which nothing has been made yet."""
    name = postgresql_server.create()
    yield postgresql_server.url(name)
    postgresql_server.drop(name)


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(folders, key=lambda folder: int(folder.parent.name), default=None)
