"""A DICOM peer in plain sockets: cheap enough for thousands of associations, and able to break every rule.

It shares no code with the receiver, so a misunderstanding of the Standard is not made twice.

References
----------
PS3.7 Annex E (command set), PS3.8 9.3 (PDUs).
"""

import hashlib
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

DIGITAL_X_RAY = "1.2.840.10008.5.1.4.1.1.1.1"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
ROOT = "1.2.826.0.1.3680043.8.498."
REQUEST, ACCEPT, REJECT, DATA, RELEASE, RELEASED, ABORT = range(1, 8)
LONG_VRS = {b"SQ", b"OB", b"OW", b"UN", b"UT"}


class Refused(ConnectionError):
    """The association was rejected or aborted, or the connection closed."""


@dataclass(frozen=True)
class Instance:
    """One data set as it goes over the network, and what its command says."""

    sop_instance_uid: str
    study_instance_uid: str
    data: bytes
    sop_class_uid: str = DIGITAL_X_RAY

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """Return one element in explicit VR little endian, with another length than its own if wanted."""
    length = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    return (
        head + struct.pack("<HI" if vr in LONG_VRS else "<H", *([0] if vr in LONG_VRS else []), length) + value
    )


def text(tag: int, vr: bytes, value: str) -> bytes:
    padding = b"\0" if vr == b"UI" else b" "
    raw = value.encode("latin-1")
    return element(tag, vr, raw + padding * (len(raw) % 2))


def elements_of(number: int, study: int, side: int = 16) -> list[bytes]:
    """Return the elements of a small radiograph, ascending; numbers become UIDs."""
    pixels = number.to_bytes(8, "little") * (side * side // 4)
    return [
        text(0x00080005, b"CS", "ISO_IR 100"),
        text(0x00080016, b"UI", DIGITAL_X_RAY),
        text(0x00080018, b"UI", f"{ROOT}1.{number}"),
        text(0x00080020, b"DA", "20260302"),
        text(0x00080060, b"CS", "DX"),
        text(0x00100010, b"PN", f"Example^Number {study}"),
        text(0x00100020, b"LO", f"P-{study}"),
        text(0x00180015, b"CS", "WRIST"),
        text(0x0020000D, b"UI", f"{ROOT}2.{study}"),
        text(0x0020000E, b"UI", f"{ROOT}3.{study}"),
        text(0x00200013, b"IS", str(number % 100_000)),
        element(0x00280010, b"US", struct.pack("<H", side)),
        element(0x00280011, b"US", struct.pack("<H", side)),
        element(0x7FE00010, b"OW", pixels[: 2 * side * side]),
    ]


def make_instance(number: int, study: int, side: int = 16) -> Instance:
    return Instance(f"{ROOT}1.{number}", f"{ROOT}2.{study}", b"".join(elements_of(number, study, side)))


def association_request(calling: str = "PEER", syntax: str = EXPLICIT, classes: tuple[str, ...] = ()) -> bytes:
    """Return an A-ASSOCIATE-RQ with one presentation context for each class."""
    items = _item(0x10, b"1.2.840.10008.3.1.1.1")
    for index, uid in enumerate(classes or (DIGITAL_X_RAY,)):
        inner = _item(0x30, uid.encode()) + _item(0x40, syntax.encode())
        items += _item(0x20, bytes([2 * index + 1, 0, 0, 0]) + inner)
    items += _item(0x50, _item(0x51, struct.pack(">I", 16384)) + _item(0x52, b"1.2.3"))
    body = struct.pack(">HH16s16s32x", 1, 0, b"WORKLIST".ljust(16), calling.encode().ljust(16)) + items
    return pdu(REQUEST, body)


def pdu(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body) if length is None else length) + body


def data_pdu(control: int, fragment: bytes, context_id: int = 1) -> bytes:
    """Return a P-DATA-TF with one fragment; control 1 is a command, 2 the last fragment, 3 both."""
    return pdu(DATA, struct.pack(">IBB", len(fragment) + 2, context_id, control) + fragment)


def store_command(instance: Instance, message_id: int = 1) -> bytes:
    """Return the command set of a C-STORE-RQ, in implicit VR little endian as always."""
    values = [
        (0x0002, _even(instance.sop_class_uid)),
        (0x0100, struct.pack("<H", 1)),
        (0x0110, struct.pack("<H", message_id)),
        (0x0700, struct.pack("<H", 2)),
        (0x0800, struct.pack("<H", 1)),
        (0x1000, _even(instance.sop_instance_uid)),
    ]
    body = b"".join(struct.pack("<HHI", 0, tag, len(value)) + value for tag, value in values)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def message(instance: Instance, pdu_bytes: int = 16384, message_id: int = 1) -> Iterator[bytes]:
    """Yield the PDUs of one C-STORE, none longer than asked for."""
    yield data_pdu(3, store_command(instance, message_id))
    step = pdu_bytes - 6
    for start in range(0, max(len(instance.data), 1), step):
        yield data_pdu(2 if start + step >= len(instance.data) else 0, instance.data[start : start + step])


class Peer:
    """One association with a receiver, requested by us."""

    def __init__(
        self, port: int, *, calling: str = "PEER", syntax: str = EXPLICIT, timeout: float = 30
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.sendall(association_request(calling, syntax))
            kind, _ = self.receive()
            if kind != ACCEPT:
                raise Refused(f"The association was answered with a PDU of type {kind}.")
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with suppress(OSError):
            if kind is None:
                self.release()
        self.socket.close()

    def store(self, instance: Instance, pdu_bytes: int = 16384) -> int:
        """Send one instance and return the status of its answer."""
        self.socket.sendall(b"".join(message(instance, pdu_bytes)))
        return self.answer()

    def answer(self) -> int:
        """Return the Status (0000,0900) of the next response."""
        command = b""
        while True:
            kind, body = self.receive()
            if kind != DATA:
                raise Refused(f"A PDU of type {kind} came instead of an answer.")
            command += body[6:]
            if body[5] & 2:
                return _status(command)

    def release(self) -> None:
        self.socket.sendall(pdu(RELEASE, bytes(4)))
        while self.receive()[0] not in {RELEASED, ABORT}:
            pass

    def receive(self) -> tuple[int, bytes]:
        """Return type and body of the next PDU."""
        head = self._exactly(6)
        return head[0], self._exactly(struct.unpack(">I", head[2:])[0])

    def _exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            if not (step := self.socket.recv(count - len(received))):
                raise Refused("The receiver closed the connection.")
            received += step
        return received


def _status(command: bytes) -> int:
    at = 0
    while at < len(command):
        group, number, length = struct.unpack_from("<HHI", command, at)
        if (group, number) == (0, 0x0900):
            return int.from_bytes(command[at + 8 : at + 10], "little")
        at += 8 + length
    raise Refused("The answer has no status.")


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def _even(uid: str) -> bytes:
    return uid.encode("latin-1") + b"\0" * (len(uid) % 2)
