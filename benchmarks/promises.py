"""A site under attack: the real receiver in processes of its own, and what it promises whatever happens.

A campaign looks at a receiver from outside only: its port, its process, the database and the archive.
"""

import atexit
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import func, select

from tests.ports import free_port
from worklist import database, schema, settings
from worklist.dicom import file_meta
from worklist.tables import Instance, Series, Study

START_SECONDS = 90


def end_with_us() -> None:
    """Let a campaign that is told to end take its receivers along."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@dataclass(frozen=True)
class Usage:
    """What a process holds at one moment."""

    resident_bytes: int
    threads: int
    descriptors: int
    cpu_seconds: float


_started: list["Receiver"] = []


@atexit.register
def _end_all() -> None:
    for receiver in list(_started):
        if receiver.process.poll() is None:
            receiver.end()


class Receiver:
    """``worklist receive`` on a port of its own, killed at the end at the latest."""

    def __init__(self, log: Path, **environment: str) -> None:
        self.port = free_port()
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worklist", "receive"],
                env={**os.environ, "WORKLIST_RECEIVER_PORT": str(self.port), **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        _started.append(self)

    def wait(self) -> "Receiver":
        """Wait until it answers an association; its port is open before its recovery has ended."""
        from benchmarks.peer import Peer

        deadline = time.monotonic() + START_SECONDS
        while True:
            assert self.process.poll() is None, f"the receiver ended by itself: {self.said()}"
            assert time.monotonic() < deadline, f"the receiver did not start: {self.said()}"
            try:
                with Peer(self.port, calling="PROBE", timeout=START_SECONDS):
                    return self
            except OSError:
                time.sleep(0.02)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def usage(self) -> Usage:
        folder = Path(f"/proc/{self.process.pid}")
        fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        return Usage(
            resident_bytes=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
            threads=int(fields[17]),
            descriptors=len(list((folder / "fd").iterdir())),
            cpu_seconds=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        )

    def end(self, number: int = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        status = self.process.wait(60)
        _started.remove(self)
        return status


def prepare(data: Path, database_url: str = "") -> None:
    """Make an empty site and point this process, and those that it starts, to it."""
    settings.replace(
        data_folder=data,
        database_url=database_url,
        minimum_free_bytes=0,
        log_level="WARNING",
        # Nobody listens there: jobs are left to the sweep, as with a broker that is away.
        broker_url="redis://127.0.0.1:1/0",
    )
    data.mkdir(parents=True, exist_ok=True)
    database.forget_engine()
    schema.upgrade(database.engine())


def sent_sha256(row: Instance) -> str:
    """Return the hash of what was sent: the kept file without its file meta information."""
    head = len(file_meta.encode(row.sop_class_uid, row.sop_instance_uid, row.transfer_syntax_uid))
    return hashlib.sha256(_path(row.file_path).read_bytes()[head:]).hexdigest()


def broken(acknowledged: Mapping[str, str]) -> list[str]:
    """Say which promises are broken for instances by UID, each with the hash of the data set that was sent."""
    rows: dict[str, list[Instance]] = {}
    uids = list(acknowledged)
    with database.reading() as session:
        for start in range(0, len(uids), 500):
            named = select(Instance).where(Instance.sop_instance_uid.in_(uids[start : start + 500]))
            for row in session.scalars(named):
                rows.setdefault(row.sop_instance_uid, []).append(row)
    faults = [f"{uid} was acknowledged and has no row" for uid in uids if uid not in rows]
    faults += [f"{uid} has {len(found)} rows" for uid, found in rows.items() if len(found) > 1]
    for uid, (row, *_) in rows.items():
        if (fault := half(row)) or sent_sha256(row) != acknowledged[uid]:
            faults.append(fault or f"{uid} is not what was sent")
    return faults


def half(row: Instance) -> str:
    """Say what is wrong with the file of a row, or nothing."""
    path = _path(row.file_path)
    if not path.is_file():
        return f"{row.sop_instance_uid} is listed and its file is missing"
    if hashlib.sha256(path.read_bytes()).hexdigest() != row.sha256:
        return f"{row.sop_instance_uid} is listed with half a file"
    return ""


def newest(count: int) -> list[Instance]:
    with database.reading() as session:
        return list(session.scalars(select(Instance).order_by(Instance.id.desc()).limit(count)))


def left_over(living: int) -> list[str]:
    """Say what lies about in the archive although no sender is at work: call it behind a start."""
    archive = settings.current().archive_folder
    with database.reading() as session:
        listed = set(session.scalars(select(Instance.file_path)))
        unlisted = session.scalars(select(Instance.id).where(~listed_in_a_study())).all()
    kept = {path.relative_to(archive).as_posix() for path in archive.glob("2*/*/*/*")}
    faults = [f"{path} has no row" for path in sorted(kept - listed)]
    faults += [f"the row of {path} has no file" for path in sorted(listed - kept)]
    faults += [f"instance {row} is in no study of the list" for row in unlisted]
    faults += [f"{path.name} was left in the spool" for path in archive.glob("spool/**/*.part")]
    folders = [path for path in archive.glob("spool/*") if path.is_dir()]
    if len(folders) > living:
        faults.append(f"{len(folders)} spool folders for {living} receivers")
    return faults


def listed_in_a_study():  # type: ignore[no-untyped-def]
    series = select(Series.id).join(Study, Study.id == Series.study_id).where(Study.is_open)
    return Instance.series_id.in_(series)


def count() -> int:
    with database.reading() as session:
        return session.scalar(select(func.count(Instance.id))) or 0


def report(faults: Iterable[str]) -> int:
    """Print the broken promises, and return the exit status of a campaign."""
    faults = list(faults)
    for fault in faults[:20]:
        print("BROKEN:", fault)
    print("all promises were kept" if not faults else f"{len(faults)} promises were broken")
    return int(bool(faults))


class PostgreSQL:
    """A private server with its usual durability, or none of it where only order matters."""

    def __init__(self) -> None:
        from tests.postgresql import Server, _programs

        programs = _programs()
        assert programs is not None, "PostgreSQL is not installed"
        self.server = Server(programs)
        self.server.start()

    def url(self) -> str:
        return self.server.url(self.server.create())

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        self.server.stop()


@contextmanager
def ground(*, needs_postgresql: bool) -> Iterator[tuple[Path, str]]:
    """Yield an empty folder and the address of an empty database; empty for SQLite in that folder."""
    end_with_us()
    server = PostgreSQL() if needs_postgresql else None
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield Path(folder), server.url() if server else ""
        finally:
            if server:
                server.stop()


def _path(file_path: str) -> Path:
    return settings.current().archive_folder / file_path
