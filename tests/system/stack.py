"""A whole site of real processes on free ports, and ways to hurt it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import redis
from sqlalchemy import func, select

from worklist import database, settings
from worklist.demo import preparation, run
from worklist.demo.supervise import Supervisor
from worklist.tables import Analysis, AnalysisState, Instance, Result, Study


class Stack:
    """Broker, receiver, workers and scheduler of one site; the web and Flower where a test wants them."""

    def __init__(self, data: Path, programs: Iterable[str]) -> None:
        self.data = data
        kept = preparation.configure(data)
        preparation.prepare_database(kept)
        preparation.register_classifier()
        current = settings.current()
        chosen = [program for program in run.programs(data, current, kept) if program.name in set(programs)]
        self.supervisor = Supervisor(data / "run", chosen, settings.child_environment())
        self.current = current

    def start(self) -> None:
        """Start every process and wait until the receiver listens."""
        self.supervisor.start()
        log = self.supervisor.log("receiver")
        try:
            wait_until(lambda: _answers(self.current.receiver_port), "the receiver listens")
        except AssertionError as error:
            error.add_note(log.read_text(encoding="utf-8") if log.exists() else "(no log of the receiver)")
            raise

    def stop(self) -> None:
        """Stop every process."""
        self.supervisor.stop()

    def broker(self) -> redis.Redis:
        """Return a client of the broker."""
        return redis.Redis.from_url(self.current.broker_url)

    def pids(self, *words: str) -> list[int]:
        """Return the processes of this site whose command line has all the words."""
        return [
            pid for pid, command in site_processes(self.data).items() if all(word in command for word in words)
        ]

    def kill(self, *words: str, with_signal: int = signal.SIGKILL) -> list[int]:
        """Send a signal to the processes whose command line has all the words; return whom it reached."""
        pids = self.pids(*words)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, with_signal)
        return pids

    def send(self, *paths: Path) -> subprocess.CompletedProcess[str]:
        """Send files as a modality would, with DCMTK's storescu."""
        return subprocess.run(
            [
                *("storescu", "-xf", str(PRESENTATION_CONTEXTS), "Any", "-aec", self.current.ae_title),
                *("-aet", "ROOM-1", "127.0.0.1", str(self.current.receiver_port)),
                *map(str, paths),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "TCP_NODELAY": "1"},
        )


PRESENTATION_CONTEXTS = Path(__file__).parent / "storescu.cfg"


def site_processes(data: Path) -> dict[int, str]:
    """Return pid → command line of every living process that was started for a data folder."""
    mark = f"WORKLIST_DATA_FOLDER={data.resolve()}".encode()
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if command:
                        found[int(folder.name)] = command
    return found


def wait_until(is_true: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait for something to become true, or fail saying what did not."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"within {seconds} s it did not happen that {what}"
        time.sleep(0.1)


def waiting_images() -> int:
    """Count images that still wait for their analysis."""
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Instance).where(Instance.needs_analysis)) or 0


def analyses_done() -> list[int]:
    """Return the instance of every finished analysis."""
    with database.reading() as session:
        return list(session.scalars(select(Analysis.instance_id).where(Analysis.state == AnalysisState.DONE)))


def running_analyses() -> int:
    """Count analyses that a worker has in hand."""
    with database.reading() as session:
        return (
            session.scalar(
                select(func.count()).select_from(Analysis).where(Analysis.state == AnalysisState.RUNNING)
            )
            or 0
        )


def studies() -> list[Study]:
    """Return all studies in rank order."""
    with database.reading() as session:
        return list(session.scalars(select(Study).order_by(Study.rank_key, Study.id)))


def unscored() -> list[Study]:
    """Return the studies without a probability."""
    return [study for study in studies() if study.result != Result.SCORED]


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def python(*arguments: str, **options: object) -> "subprocess.Popen[str]":
    """Start this Python with arguments, its output as text."""
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
