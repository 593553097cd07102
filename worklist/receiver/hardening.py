"""pynetdicom's server, made to survive what comes from a network.

Measured with pynetdicom 3.0.4: a peer that stalls inside a PDU keeps a thread and a socket for ever; a claim
of a 4 GB PDU is buffered before anybody is asked; fragments without a last one grow without limit; a
descriptor above 1023 breaks ``select``. The classes below narrow private methods, so the version is pinned.
"""

import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pynetdicom import evt
from pynetdicom.timer import Timer
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from worklist import logs
from worklist.receiver.lane import StoreLane
from worklist.receiver.places import make_place
from worklist.receiver.signals import SignallingQueue
from worklist.receiver.spool import Incoming
from worklist.receiver.upper_layer import EventDrivenAssociation, Transfer

log = logs.logger(__name__)

ANNOUNCED_PDU_BYTES = 128 * 1024
"""What we ask for; DCMTK never sends more, and a quarter of it already reaches the full speed."""

LARGEST_PDU_BYTES = 1024**2
"""What we take. An association request with 128 contexts of 45 syntaxes has about 400 KB."""

STALL_SECONDS = 30.0
"""Seconds in which a PDU that has begun must have arrived, and in which a peer must take our answer."""

KEEPALIVE = {socket.TCP_KEEPIDLE: 60, socket.TCP_KEEPINTVL: 15, socket.TCP_KEEPCNT: 4}
"""A peer that was switched off is noticed after two minutes; the kernel's own habit is two hours."""

Store = Callable[[Any, Incoming], tuple[int, str]]
"""(association, what a C-STORE brought) → status and comment."""


class HardenedSocket(AssociationSocket):
    """Reads with a limit of bytes and of time, in large pieces, and a little ahead."""

    _ahead = b""
    """What came behind the last PDU and was read with it: a part of the next one's header."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Return that many bytes, or none if the peer has closed before the first one.

        Raises
        ------
        OSError
            If the PDU is too long, takes too long, or ends too early.
        """
        view = self.room(nr_bytes)
        ahead, self._ahead = self._ahead, b""
        view[: len(ahead)] = ahead
        count = len(ahead) or self._receive(view)
        return bytearray(self.fill(view, count)) if count else bytearray()

    def room(self, length: int) -> memoryview:
        """Return room for a PDU.

        Raises
        ------
        OSError
            If it is longer than we take.
        """
        if length > LARGEST_PDU_BYTES:
            raise OSError(f"A PDU of {length} bytes was announced.")
        return memoryview(bytearray(length))

    def fill(self, view: memoryview, count: int = 0) -> memoryview:
        """Fill a view, of which ``count`` bytes are there already, with what the peer sends.

        Raises
        ------
        OSError
            If the peer stalls or closes before.
        """
        timer = Timer(STALL_SECONDS)
        timer.start()
        while count < len(view):
            if timer.expired:
                raise TimeoutError("The peer has stalled inside a PDU.")
            step = self._receive(view[count:])
            if step == 0:
                raise ConnectionError("The peer has closed inside a PDU.")
            count += step
        return view

    def fill_and_more(self, view: memoryview, length: int) -> memoryview:
        """Fill that many bytes of a longer view; what has arrived beyond them is kept for the next `recv`.

        Each call of the kernel gives the interpreter away to another thread, so one for two is worth it.

        Raises
        ------
        OSError
            If the peer stalls or closes before.
        """
        count = self._receive(view, waits=False) if length else 0
        self._ahead = bytes(view[length:count])
        return self.fill(view[:length], min(count, length))

    def _receive(self, view: memoryview, *, waits: bool = True) -> int:
        if self.socket is None:
            raise ConnectionError("The connection is closed.")
        flags = socket.MSG_WAITALL if waits and not isinstance(self.socket, ssl.SSLSocket) else 0
        try:
            return int(self.socket.recv_into(view, flags=flags))
        except BlockingIOError as error:
            raise TimeoutError("The peer has stalled inside a PDU.") from error

    @property
    def ready(self) -> bool:
        """Say if there is something to read; ``poll`` knows no largest descriptor."""
        if self.socket is None or not self._is_connected:
            return False
        try:
            poll = select.poll()
            poll.register(self.socket, select.POLLIN)
            return self.has_more or bool(poll.poll(0))
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False

    @property
    def has_more(self) -> bool:
        """Whether we or TLS hold bytes that nobody has looked at: ``poll`` cannot see them."""
        return bool(self._ahead) or (isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0)


class HardenedHandler(RequestHandler):
    """One connection, from accept to the last file of it being cleared away."""

    def handle(self) -> None:
        """Run the association, and wait for its end to clean up behind it."""
        association: Any = self._create_association()
        association.__class__ = EventDrivenAssociation
        association.prepare()
        association.dul.socket.__class__ = HardenedSocket
        association.dimse.msg_queue = SignallingQueue(association.wake, association.dimse.msg_queue)
        transfer = association.dul
        transfer.__class__ = Transfer
        transfer.prepare(lambda connection: self._lane(connection, association), ANNOUNCED_PDU_BYTES)
        evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
        association.start()
        association._dul_ready.wait()
        transfer.join()
        # If the peer left before it asked for anything, the association would wait for that and take a place
        # among the permitted ones until the timeout.
        transfer.to_user_queue.put(None)
        association.join()
        transfer.lane.discard()
        transfer.alarm.close()
        self.request.close()

    def _lane(self, connection: Transfer, association: Any) -> StoreLane:
        return StoreLane(connection, lambda incoming: self.server.store(association, incoming))


class HardenedServer(ThreadedAssociationServer):
    """Accepts connections with time limits on everything."""

    request_queue_size = 128
    store: Store

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.connections: dict[threading.Thread, socket.socket] = {}

    def get_request(self) -> Any:
        """Accept a connection that cannot wait for ever and does not wait for full packets."""
        client, address = super().get_request()
        # Limits of the kernel's, not of Python's: with those each read would be two calls.
        limit = struct.pack("ll", int(STALL_SECONDS), int(STALL_SECONDS % 1 * 1e6))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE.items():
            client.setsockopt(socket.IPPROTO_TCP, option, value)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Turn connections away that could not even be rejected properly."""
        return bool(len(self.active_associations) < 2 * self.ae.maximum_associations + 8)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread of its own, and remember both until it ends."""
        arguments = (request, client_address)
        thread = threading.Thread(target=self.process_request_thread, args=arguments, daemon=True)
        self.connections[thread] = request
        try:
            thread.start()
        except RuntimeError:  # no more threads
            del self.connections[thread]
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            make_place(self.ae)
            super().process_request_thread(request, client_address)
        finally:
            del self.connections[threading.current_thread()]

    def hang_up(self, seconds: float) -> None:
        """End the connections that are left, those in a handshake among them, and wait for their threads."""
        timer = Timer(seconds)
        timer.start()
        left = list(self.connections.items())
        for _, connection in left:
            with suppress(OSError):
                # Not the method of a TLS socket, which pulls its state from under the thread that uses it.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread, _ in left:
            thread.join(max(timer.remaining, 0))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a fault of ours in one line."""
        log.exception("connection failed", address=client_address[0])
