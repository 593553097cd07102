"""pynetdicom's server, made to survive what comes from a network.

Measured with pynetdicom 3.0.4: a peer that stalls inside a PDU keeps a thread and a socket for ever; a claim
of a 4 GB PDU is buffered before anybody is asked; fragments without a last one grow without limit; a
descriptor above 1023 breaks ``select``. The classes below narrow private methods, so the version is pinned.
"""

import select
import socket
from typing import Any

from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.timer import Timer
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from worklist import logs
from worklist.receiver.spool import SpooledDataSet

log = logs.logger(__name__)

ANNOUNCED_PDU_BYTES = 128 * 1024
"""What we ask for; DCMTK never sends more, and a quarter of it already reaches the full speed."""

LARGEST_PDU_BYTES = 1024**2
"""What we take. An association request with 128 contexts of 45 syntaxes has about 400 KB."""

LARGEST_COMMAND_BYTES = 64 * 1024
STALL_SECONDS = 30.0
"""Seconds in which a PDU that has begun must have arrived, and in which a peer must take our answer."""

MISSING_UID = UID("0")
PROTOCOL_ERROR = "Evt19"  # PS3.8 Table 9-10: unrecognised or invalid PDU, answered with A-ABORT


class HardenedSocket(AssociationSocket):
    """Reads with a limit of bytes and of time, and in large pieces."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Return that many bytes, or fewer if the peer has closed.

        Raises
        ------
        OSError
            If the PDU is too long or takes too long; pynetdicom then closes the connection.
        """
        if nr_bytes > LARGEST_PDU_BYTES:
            raise OSError(f"A PDU of {nr_bytes} bytes was announced.")
        received, count = bytearray(nr_bytes), 0
        timer = Timer(STALL_SECONDS)
        timer.start()
        while count < nr_bytes:
            if timer.expired:
                raise TimeoutError("The peer has stalled inside a PDU.")
            step = self.socket.recv_into(memoryview(received)[count:])
            if step == 0:
                break
            count += step
        return received[:count]

    @property
    def ready(self) -> bool:
        """Say if there is something to read; ``poll`` knows no largest descriptor."""
        if self.socket is None or not self._is_connected:
            return False
        try:
            poll = select.poll()
            poll.register(self.socket, select.POLLIN)
            return bool(poll.poll(0))
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False


class SpoolingProvider(DIMSEServiceProvider):
    """Receives messages with their data sets on disk, and aborts on what is no message."""

    def __init__(self, association: Any) -> None:
        super().__init__(association)
        self.message: Any = None
        self._begun: set[SpooledDataSet] = set()

    def receive_primitive(self, primitive: Any) -> None:
        """Take the next fragments; whatever goes wrong ends this association and no other."""
        if self.message is None:
            message: Any = DIMSEMessage()
            message.data_set = SpooledDataSet(message, self.assoc, self._begun)
            self.message = message
        try:
            super().receive_primitive(primitive)
            if self.message and self.message.encoded_command_set.tell() > LARGEST_COMMAND_BYTES:
                raise ValueError("The command set has no end.")
        except Exception as error:  # one of many: the peer decides what comes
            log.warning("association aborted, no valid message", error=type(error).__name__)
            self.dul.event_queue.put(PROTOCOL_ERROR)

    def get_msg(self, block: bool = False) -> Any:
        """Return the next message; pynetdicom would leave a C-STORE without a UID for ever unanswered."""
        context_id, message = super().get_msg(block)
        if isinstance(message, C_STORE) and message.MessageIDBeingRespondedTo is None:
            for keyword in ("AffectedSOPClassUID", "AffectedSOPInstanceUID"):
                if getattr(message, keyword) is None:
                    setattr(message, keyword, MISSING_UID)
            if message.Priority is None:
                message.Priority = 2
        return context_id, message

    def discard_all(self) -> None:
        """Delete every file that was begun and not kept."""
        for data_set in tuple(self._begun):
            data_set.discard()


class HardenedHandler(RequestHandler):
    """One connection, from accept to the last file of it being cleared away."""

    def handle(self) -> None:
        """Run the association, and wait for its end to clean up behind it."""
        association = self._create_association()
        association.dul.socket.__class__ = HardenedSocket
        association.dimse = provider = SpoolingProvider(association)
        evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
        association.start()
        association._dul_ready.wait()
        association.dul.join()
        # If the peer left before it asked for anything, the association would wait for that and take a place
        # among the permitted ones until the timeout.
        association.dul.to_user_queue.put(None)
        association.join()
        provider.discard_all()
        self.request.close()


class HardenedServer(ThreadedAssociationServer):
    """Accepts connections with time limits on everything."""

    daemon_threads = True
    request_queue_size = 128

    def get_request(self) -> Any:
        """Accept a connection that cannot wait for ever and does not wait for full packets."""
        client, address = super().get_request()
        client.settimeout(STALL_SECONDS)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Turn connections away that could not even be rejected properly."""
        return bool(len(self.active_associations) < 2 * self.ae.maximum_associations + 8)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a fault of ours in one line."""
        log.exception("connection failed", address=client_address[0])
