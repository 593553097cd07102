"""The two threads of an association, woken by events instead of looking every millisecond.

Measured with pynetdicom 3.0.4: eight idle associations cost its loops 27 % of a core, and a small C-STORE takes
3.9 ms of waiting for each other. The classes below narrow private methods, so the version is pinned.
"""

import queue
import select
import struct
import threading
from collections.abc import Callable
from typing import Any

from pynetdicom.association import Association
from pynetdicom.dul import _PDU_TYPES, DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.pdu_primitives import P_DATA

from worklist import logs
from worklist.receiver.lane import StoreLane, fragments
from worklist.receiver.signals import Alarm, SignallingQueue

log = logs.logger(__name__)

HEADER_BYTES = 6
P_DATA_TF = 0x04
READY_TO_TRANSFER = "Sta6"  # PS3.8 Table 9-4
AWAITING_CLOSE = "Sta13"
CONNECTION_CLOSED = "Evt17"  # PS3.8 Table 9-10
INVALID_PDU = "Evt19"
ARTIM_EXPIRED = "Evt18"
LOOK_SECONDS = 1.0
"""How often timers are looked at when nothing happens."""


class Transfer(DULServiceProvider):
    """The thread at the network: it sleeps until the peer, or somebody of ours, has something to say."""

    _kill_thread: bool
    to_provider_queue: Any
    event_queue: Any
    to_user_queue: Any

    def prepare(self, lane_of: Callable[["Transfer"], StoreLane], largest_pdu_bytes: int) -> None:
        """Turn a provider that has not started yet into this class's.

        Parameters
        ----------
        largest_pdu_bytes
            The longest PDU that this connection takes once it is established.
        """
        self.alarm = Alarm()
        self.to_provider_queue = SignallingQueue(self.alarm.ring, self.to_provider_queue)
        self.event_queue = SignallingQueue(self.alarm.ring, self.event_queue)
        self.to_user_queue = SignallingQueue(self.assoc.wake, self.to_user_queue)
        self.lane = lane_of(self)
        self._buffer = bytearray(largest_pdu_bytes + HEADER_BYTES)

    def run(self) -> None:
        """Run in a thread of its own; the standard one was bound to the loop of its own class."""
        self.run_reactor()

    def run_reactor(self) -> None:
        """Receive and send until the association has ended."""
        self._idle_timer.start()
        self.assoc._dul_ready.set()
        try:
            while not self._kill_thread:
                self._step()
        except InvalidEventError as error:
            # The peer closes or aborts while we do so ourselves: PS3.8 Table 9-10 has no cell for that.
            log.info("connection ended out of step", reason=str(error))
            self._give_up()
        except Exception as error:
            log.exception("association ended by a fault of ours", error=type(error).__name__)
            self._give_up()
        finally:
            self.assoc.wake()

    def _give_up(self) -> None:
        self.assoc.is_aborted, self.assoc.is_established = True, False
        self.assoc._kill = self._kill_thread = True

    def kill_dul(self) -> None:
        """End the thread."""
        super().kill_dul()
        self.alarm.ring()

    def stop_dul(self) -> bool:
        """End the thread if its connection is closed, and wait for that."""
        if self.state_machine.current_state != "Sta1":
            return False
        self.kill_dul()
        if threading.current_thread() is not self:
            self.join()
        return True

    def _step(self) -> None:
        if self.artim_timer.expired:
            self.event_queue.put(ARTIM_EXPIRED)
        if not self._process_recv_primitive() and self._has_arrived():
            if self.state_machine.current_state == AWAITING_CLOSE:
                self._is_transport_event()  # what still comes is read, then the connection is closed
            else:
                self._read_pdu_data()
            self._idle_timer.restart()
        while True:
            try:
                event = self.event_queue.get_nowait()
            except queue.Empty:
                return
            self.state_machine.do_action(event)

    def _has_arrived(self) -> bool:
        """Sleep until there is something to do; say if it is at the network."""
        if not self.event_queue.empty():
            return False
        if self.state_machine.current_state == AWAITING_CLOSE:
            return True
        connection: Any = self.socket
        if connection and connection.has_more:
            return True
        plain = connection.socket if connection else None
        poll = select.poll()
        poll.register(self.alarm.descriptor, select.POLLIN)
        if plain is not None:
            try:
                poll.register(plain, select.POLLIN)
            except ValueError:  # closed meanwhile
                self.event_queue.put(CONNECTION_CLOSED)
                return False
        ready = poll.poll(LOOK_SECONDS * 1000)
        if any(descriptor == self.alarm.descriptor for descriptor, _ in ready):
            self.alarm.silence()
        return any(descriptor != self.alarm.descriptor for descriptor, _ in ready)

    def _read_pdu_data(self) -> None:
        """Read one PDU; what is wrong with it becomes an event."""
        connection: Any = self.socket
        try:
            header = connection.recv(HEADER_BYTES)
            if len(header) < HEADER_BYTES:
                self.event_queue.put(CONNECTION_CLOSED)
                return
            pdu_type, _, length = struct.unpack(">BBL", header)
            if bytes((pdu_type,)) not in _PDU_TYPES:
                self.event_queue.put(INVALID_PDU)
                return
            end = length + HEADER_BYTES
            if end <= len(self._buffer):
                body = connection.fill_and_more(memoryview(self._buffer)[:end], length)
            else:
                body = connection.fill(connection.room(length))
        except OSError as error:
            log.info("connection ended", reason=str(error))
            self.event_queue.put(CONNECTION_CLOSED)
            return
        try:
            self._on_pdu(pdu_type, header, body)
        except Exception as error:  # one of many: the peer decides what comes
            log.warning("association aborted, no valid message", error=type(error).__name__)
            self.event_queue.put(INVALID_PDU)

    def _on_pdu(self, pdu_type: int, header: bytearray, body: memoryview) -> None:
        if pdu_type == P_DATA_TF and self.state_machine.current_state == READY_TO_TRANSFER:
            self.lane.take(body)
            return
        pdu, event = self._decode_pdu(header + body)
        self._recv_pdu.put(pdu)
        self.event_queue.put(event)

    # What the lane needs of its association.

    def transfer_syntax_uid(self, context_id: int) -> str:
        """Return the transfer syntax of an accepted presentation context.

        Raises
        ------
        KeyError
            If none with this ID was accepted.
        """
        return str(self.assoc._accepted_cx[context_id].transfer_syntax[0])

    def pass_on(self, context_id: int, fragment: bytes) -> None:
        """Hand a fragment to pynetdicom's message provider."""
        primitive = P_DATA()
        primitive.presentation_data_value_list = [[context_id, fragment]]
        self.assoc.dimse.receive_primitive(primitive)

    def answer(self, context_id: int, response: bytes) -> None:
        """Send an encoded command set to the peer."""
        largest = self.assoc.requestor.maximum_length or 0
        connection: Any = self.socket
        connection.send(fragments(context_id, response, largest))


class EventDrivenAssociation(Association):
    """The thread that negotiates, serves what is no C-STORE, and sees the end."""

    is_established: bool
    last_study_id: int | None
    """The study of the image that came last."""

    def prepare(self) -> None:
        """Turn an association that has not started yet into this class's."""
        self.last_study_id = None
        self._news = threading.Event()

    def wake(self) -> None:
        """Let the thread look."""
        self._news.set()

    def kill(self) -> None:
        """End both threads."""
        self._news.set()
        super().kill()

    def run(self) -> None:
        """Run in a thread of its own; the standard one was bound to the loop of its own class."""
        self.run_reactor()

    def run_reactor(self) -> None:
        """Negotiate and serve; a request that cannot even be rejected properly is aborted."""
        try:
            super().run_reactor()
        except Exception as error:  # one of many: the peer decides what it asks for
            log.warning("association aborted, no valid request", error=type(error).__name__)
            self.dul.event_queue.put(INVALID_PDU)

    def _run_reactor(self) -> None:
        """Serve messages until the peer releases, somebody aborts, or the peer has been silent too long."""
        self._is_paused = False
        while not self._kill:
            self._news.wait(LOOK_SECONDS)
            self._news.clear()
            # Whoever sends on this association pauses us first, or we would take the answer.
            self._is_paused = True
            self._reactor_checkpoint.wait()
            self._is_paused = False
            self._serve_all()
            if self._has_ended():
                self.kill()
                return

    def _serve_all(self) -> None:
        while True:
            context_id, message = self.dimse.get_msg(block=False)
            if message is None:
                return
            self._serve_request(message, context_id)

    def _has_ended(self) -> bool:
        if self.is_established and self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released, self.is_established = True, False
            return True
        if self.acse.is_aborted():
            self.dul.receive_pdu(wait=False)
            self.is_aborted, self.is_established = True, False
            return True
        if not self.dul.is_alive():
            return True
        if self.dul.idle_timer_expired():
            log.info("association aborted, silent for too long", calling=self.requestor.ae_title)
            self.abort()
            return True
        return False
