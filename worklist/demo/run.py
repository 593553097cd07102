"""The steps of ``worklist demo``, one line each on the terminal."""

import http.client
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from sqlalchemy import func, select

from worklist import database, jobs, settings
from worklist.demo import broker, preparation
from worklist.demo.preparation import Secrets
from worklist.demo.samples import samples
from worklist.demo.supervise import Program, Supervisor
from worklist.errors import Unavailable
from worklist.sender.send import send_folder
from worklist.tables import Result, Study

READY_SECONDS = 180
RANKED_SECONDS = 600


class Stopped(BaseException):
    """Somebody pressed Ctrl-C, or asked the process to end."""


def run(data: Path, *, fresh: bool, until_ranked: bool) -> None:
    """Run everything until it is stopped.

    Raises
    ------
    Unavailable
        If a port is taken, or a process does not come up; the message says what to do.
    """
    if fresh and data.exists():
        shutil.rmtree(data)
    with _stoppable():
        kept = preparation.configure(data)
        current = settings.current()
        preparation.check_ports(current)
        with _step("Database"):
            preparation.prepare_database(kept)
        with _step("Demo classifier"):
            preparation.register_classifier()
        supervisor = Supervisor(data / "run", programs(data, current, kept), settings.child_environment())
        try:
            _start(supervisor, current)
            _send_samples(data, current)
            _wait_until_ranked(supervisor)
            if not until_ranked:
                _invite(current, kept)
                _wait_for_end(supervisor)
        except Stopped:
            click.echo("\nStopping …")
        finally:
            supervisor.stop()
    click.echo("Everything has stopped; 'make demo' continues where this ended.")


def programs(data: Path, current: settings.Settings, kept: Secrets) -> list[Program]:
    """Return every process of the site, in the order of their start."""
    python = sys.executable
    broker_port = int(current.broker_url.rsplit(":", 1)[1].split("/")[0])
    flower = [
        *(python, "-m", "celery", "-A", "workers.app", "flower", "--address=127.0.0.1", "--url_prefix=flower"),
        *(f"--port={current.flower_port}", f"--basic_auth=adam:{kept.password}"),
        "--purge_offline_workers=60",
    ]
    return [
        Program("broker", 10, broker.command(data / "broker", broker_port, kept.broker_password)),
        Program("receiver", 20, [python, "-m", "worklist", "receive"]),
        Program("web", 30, [python, "-m", "web"]),
        Program("inference", 40, [python, "-m", "workers", "inference"]),
        Program("background", 50, [python, "-m", "workers", "background"]),
        Program("training", 55, [python, "-m", "workers", "training"]),
        Program("scheduler", 60, [python, "-m", "workers", "scheduler"]),
        Program("flower", 70, flower),
    ]


def _start(supervisor: Supervisor, current: settings.Settings) -> None:
    supervisor.start()
    for title, program, is_ready in (
        ("Broker", "broker", lambda: _answers(int(current.broker_url.rsplit(":", 1)[1].split("/")[0]))),
        (
            f"DICOM receiver on port {current.receiver_port}",
            "receiver",
            lambda: _answers(current.receiver_port),
        ),
        (f"Web on port {current.web_port}", "web", lambda: _is_live(current.web_port, "/live")),
        (f"Flower on port {current.flower_port}", "flower", lambda: _is_live(current.flower_port, "/flower/")),
        ("Workers", "inference", lambda: len(jobs.producer().control.ping(timeout=1)) >= 3),
    ):
        with _step(title):
            _wait(supervisor, program, is_ready)


def _wait(supervisor: Supervisor, program: str, is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready():
        if not supervisor.is_running or time.monotonic() > deadline:
            raise Unavailable(
                f"{program} did not come up within {READY_SECONDS} s; the last lines of "
                f"{supervisor.log(program)}:\n{_tail(supervisor.log(program))}"
            )
        time.sleep(0.2)


def _send_samples(data: Path, current: settings.Settings) -> None:
    with database.reading() as session:
        known = session.scalar(select(func.count()).select_from(Study)) or 0
    if known:
        click.echo(f"  {known} studies are in the list already; 'worklist demo --fresh' begins anew.")
        return
    for number, sample in enumerate(samples(data / "samples"), start=1):
        report = send_folder(
            sample.folder,
            host="127.0.0.1",
            port=current.receiver_port,
            called_ae_title=current.ae_title,
            calling_ae_title="DEMO-ROOM-1",
        )
        click.echo(f"  sent {number:2}  {sample.title}: {report.text()}")


def _wait_until_ranked(supervisor: Supervisor) -> None:
    deadline = time.monotonic() + RANKED_SECONDS
    with _step("Ranking"):
        while (waiting := _count_waiting()) and time.monotonic() < deadline:
            if not supervisor.is_running:
                raise Unavailable("The supervisor has stopped; see the logs in the data folder.")
            if sys.stdout.isatty():
                click.echo(f"\r  Ranking: {waiting} studies wait   ", nl=False)
            time.sleep(0.5)


def _count_waiting() -> int:
    with database.reading() as session:
        waiting = select(func.count()).select_from(Study).where(Study.result == Result.WAITING)
        return session.scalar(waiting) or 0


def _invite(current: settings.Settings, kept: Secrets) -> None:
    click.echo(
        f"\n  Worklist   http://127.0.0.1:{current.web_port}/\n"
        f"  sign in    rita (reader) or adam (administrator), password {kept.password}\n"
        f"  Flower     http://127.0.0.1:{current.flower_port}/flower/  (adam, same password)\n"
        f"  send       storescu -aec {current.ae_title} 127.0.0.1 {current.receiver_port} FILE, "
        "or .venv/bin/worklist send FOLDER\n"
        "\n  The demo classifier is not validated. Not a medical device. Ctrl-C stops everything.\n"
    )


def _wait_for_end(supervisor: Supervisor) -> None:
    while supervisor.is_running:
        time.sleep(0.5)
    raise Unavailable("The supervisor has stopped; see the logs in the data folder.")


@contextmanager
def _step(title: str) -> Iterator[None]:
    started = time.monotonic()
    tty = sys.stdout.isatty()
    if tty:
        click.echo(f"  {title} …", nl=False)
    yield
    click.echo(f"{chr(13) if tty else ''}  {title}: ready ({time.monotonic() - started:.1f} s)   ")


@contextmanager
def _stoppable() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        # A second Ctrl-C must not interrupt the orderly stop.
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)
        raise Stopped

    before = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Stopped:
        click.echo("\nStopped before anything was started.")
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_live(port: int, path: str) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", path)
        return connection.getresponse().status in {200, 401}
    except (OSError, http.client.HTTPException):
        return False


def _tail(path: Path, lines: int = 10) -> str:
    try:
        return os.linesep.join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
