"""The receiver: start, run, stop."""

import resource
import signal
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from pynetdicom import _config
from pynetdicom.timer import Timer

from worklist import database, logs
from worklist.errors import Unavailable
from worklist.intake.assembly import note_transfer
from worklist.receiver import ownership, recovery, refusals
from worklist.receiver.entity import listen
from worklist.receiver.tls import TlsServer
from worklist.settings import Settings

log = logs.logger(__name__)

TRANSFER_SECONDS = 10.0
"""How often it is noted for a study that its next image is on its way."""

DESCRIPTORS_OF_OURS = 128
"""Database, archive, log, broker, and connections that are still being turned away."""

DESCRIPTORS_EACH = 4
"""Socket, alarm and spooled file of an association, and one more while it ends."""

CLOSING_SECONDS = 10
"""Seconds that open associations have to end by themselves when the receiver stops."""

HANGING_UP_SECONDS = 5
"""Seconds that the threads of connections have to end after that."""


@dataclass
class Receiver:
    """A running receiver."""

    servers: list[Any]
    threads: list[threading.Thread]
    stopping: threading.Event
    held: ExitStack

    @property
    def server(self) -> Any:
        """The first of one or two servers: the plain one, if there is one."""
        return self.servers[0]

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server.server_address[1])

    def stop(self, seconds: float = CLOSING_SECONDS) -> None:
        """Accept nothing more, let open associations end, then abort those that do not."""
        self.stopping.set()
        for server in self.servers:
            server.shutdown()
        for thread in self.threads:
            thread.join()
        timer = Timer(seconds)
        timer.start()
        for association in self._associations():
            association.join(max(timer.remaining, 0))
        for association in self._associations():
            log.warning("association aborted at the end", calling=association.requestor.ae_title)
            association.abort()
        for server in self.servers:
            server.hang_up(HANGING_UP_SECONDS)
        self.held.close()

    def _associations(self) -> list[Any]:
        return [each for server in self.servers for each in server.active_associations]


def start(current: Settings, *, port: int | None = None) -> Receiver:
    """Start a receiver in threads of its own.

    Parameters
    ----------
    port
        Instead of the configured one; 0 takes a free one.

    Raises
    ------
    Unavailable
        If a port is taken, or another receiver uses the same archive and the database is SQLite.
    Invalid
        If TLS is asked for with files that cannot be used.
    """
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    # The standard handlers would format every message, only to have it dropped by the level.
    _config.LOG_HANDLER_LEVEL = "none"
    _make_room_for_descriptors(current.maximum_associations)
    servers = listen(current, current.receiver_port if port is None else port)
    held = ExitStack()
    try:
        # SQLite has one writer: a second receiver would only wait for the first.
        is_alone = database.engine().dialect.name == "sqlite"
        held.enter_context(ownership.own_spool(is_alone=is_alone))
        recovery.recover()
        refusals.memory.forget()
    except BaseException:
        held.close()
        for server in servers:
            server.server_close()
        raise
    stopping = threading.Event()
    threads = [
        *(threading.Thread(target=each.serve_forever, args=(0.1,), daemon=True) for each in servers),
        threading.Thread(target=_watch_transfers, args=(servers, stopping), name="transfers", daemon=True),
    ]
    for thread in threads:
        thread.start()
    return Receiver(servers, threads, stopping, held)


def _watch_transfers(servers: list[Any], stopping: threading.Event) -> None:
    """Note for a study that its next image is on its way, however slow the line is."""
    while not stopping.wait(TRANSFER_SECONDS):
        under_way = {
            association.last_study_id
            for server in servers
            for association in server.active_associations
            if association.last_study_id is not None and association.dul.lane.is_receiving
        }
        if under_way:
            with suppress(Unavailable), database.transaction() as session:
                note_transfer(session, under_way)


def run(current: Settings) -> None:
    """Run a receiver until SIGTERM or SIGINT.

    Raises
    ------
    Unavailable
        If the port is taken, or another receiver uses the same archive and the database is SQLite.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    receiver = start(current)
    for server in receiver.servers:
        log.info(
            "receiver listens",
            host=current.receiver_host,
            port=server.server_address[1],
            tls=isinstance(server, TlsServer),
            ae_title=current.ae_title,
        )
    stopping.wait()
    log.info("receiver stops")
    receiver.stop()


def _make_room_for_descriptors(associations: int) -> None:
    """Raise the limit of open files as far as this process may, and refuse to start where that is too little.

    Raises
    ------
    Unavailable
        If the associations permitted could not all be served.
    """
    needed = DESCRIPTORS_OF_OURS + DESCRIPTORS_EACH * associations
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise Unavailable(
            f"WORKLIST_MAXIMUM_ASSOCIATIONS={associations} needs {needed} open files, and this process may have"
            f" {hard}: raise that with 'ulimit -n {needed}' or LimitNOFILE={needed}, or permit fewer."
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
