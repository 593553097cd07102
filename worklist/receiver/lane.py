"""The fast lane of one association: fragments in, C-STORE messages out, everything else to pynetdicom.

A message of pynetdicom is built from objects that copy each fragment several times and hand it from one thread
to another. Images are nearly all that a modality sends, so they go straight from the network's buffer to the
file, and the thread that received the last fragment keeps the image and answers.

References
----------
PS3.8 9.3.5.1 (presentation data value items), PS3.8 Annex E (message control header).
"""

import struct
from collections.abc import Callable
from typing import Protocol

from worklist.receiver.command import elements, store_command, store_response
from worklist.receiver.spool import Incoming

LARGEST_COMMAND_BYTES = 64 * 1024
LARGEST_IDENTIFIER_BYTES = 1024**2
COMMAND, LAST = 1, 2  # bits of the message control header

_ITEM = struct.Struct(">IBB")


class Connection(Protocol):
    """What a lane needs of its association."""

    def transfer_syntax_uid(self, context_id: int) -> str:
        """Return the transfer syntax of an accepted presentation context; KeyError if it is none."""

    def pass_on(self, context_id: int, fragment: bytes) -> None:
        """Hand a fragment, message control header included, to pynetdicom."""

    def answer(self, context_id: int, response: bytes) -> None:
        """Send an encoded command set."""


class StoreLane:
    """Sorts the fragments of one association.

    Parameters
    ----------
    store
        Keeps what a C-STORE brought and returns its status and a comment.
    """

    def __init__(self, connection: Connection, store: Callable[[Incoming], tuple[int, str]]) -> None:
        self._connection = connection
        self._store = store
        self._command = bytearray()
        self._incoming: Incoming | None = None
        self._identifier_bytes = 0

    @property
    def is_receiving(self) -> bool:
        """Whether a data set has begun and not ended."""
        return self._incoming is not None

    def take(self, items: memoryview) -> None:
        """Take the presentation data value items of one P-DATA-TF PDU.

        Raises
        ------
        Exception
            Whatever the peer made wrong; the association is then to be aborted.
        """
        at, end = 0, len(items)
        while at < end:
            length, context_id, control = _ITEM.unpack_from(items, at)
            if length < 2 or at + 4 + length > end:
                raise ValueError("a presentation data value does not fit its PDU")
            self._take(context_id, control, items[at + 6 : at + 4 + length])
            at += 4 + length

    def discard(self) -> None:
        """Delete what was begun and not finished."""
        if self._incoming is not None:
            self._incoming.discard()

    def _take(self, context_id: int, control: int, fragment: memoryview) -> None:
        if not control & COMMAND:
            self._take_data(context_id, control, fragment)
            return
        if self._incoming is not None:
            raise ValueError("a command begins inside a data set")
        self._command += fragment
        if len(self._command) > LARGEST_COMMAND_BYTES:
            raise ValueError("the command set has no end")
        if control & LAST:
            encoded, self._command = bytes(self._command), bytearray()
            self._begin(context_id, encoded)

    def _begin(self, context_id: int, encoded: bytes) -> None:
        command = store_command(elements(encoded))
        self._identifier_bytes = 0
        if command is None:
            self._connection.pass_on(context_id, bytes((COMMAND | LAST,)) + encoded)
            return
        syntax = self._connection.transfer_syntax_uid(context_id)
        self._incoming = Incoming(command, context_id, syntax)
        if not command.has_data_set:
            self._finish(self._incoming)

    def _take_data(self, context_id: int, control: int, fragment: memoryview) -> None:
        incoming = self._incoming
        if incoming is None:
            self._identifier_bytes += len(fragment)
            if self._identifier_bytes > LARGEST_IDENTIFIER_BYTES:
                raise ValueError("the identifier has no end")
            self._connection.pass_on(context_id, bytes((control,)) + bytes(fragment))
            return
        if context_id != incoming.context_id:
            raise ValueError("a data set comes in another presentation context than its command")
        incoming.write(fragment)
        if control & LAST:
            self._finish(incoming)

    def _finish(self, incoming: Incoming) -> None:
        self._incoming = None
        status, comment = self._store(incoming)
        self._connection.answer(incoming.context_id, store_response(incoming.command, status, comment))


def fragments(context_id: int, command: bytes, largest_pdu_bytes: int) -> bytes:
    """Return P-DATA-TF PDUs with a command set, none longer than the peer takes (0: any length).

    References
    ----------
    PS3.8 D.1.1 (maximum length: it does not count the six bytes of the PDU's own header).
    """
    room = max(largest_pdu_bytes - 6, 1) if largest_pdu_bytes else len(command)
    pieces = [command[at : at + room] for at in range(0, len(command), room)]
    pdus = []
    for number, piece in enumerate(pieces, start=1):
        control = COMMAND | (LAST if number == len(pieces) else 0)
        pdus.append(struct.pack(">BBIIBB", 4, 0, len(piece) + 6, len(piece) + 2, context_id, control) + piece)
    return b"".join(pdus)
