"""The command sets of C-STORE, read and written without a general parser: it would cost more than the rest.

References
----------
PS3.7 6.3.1 (command set: always implicit VR little endian), 9.3.1 (C-STORE), PS3.7 E.1 (registry).
"""

import struct
from dataclasses import dataclass

C_STORE_REQUEST = 0x0001
C_STORE_RESPONSE = 0x8001
NO_DATA_SET = 0x0101
LONGEST_COMMENT = 64

AFFECTED_SOP_CLASS_UID = 0x0002
COMMAND_FIELD = 0x0100
MESSAGE_ID = 0x0110
MESSAGE_ID_RESPONDED_TO = 0x0120
COMMAND_DATA_SET_TYPE = 0x0800
STATUS = 0x0900
ERROR_COMMENT = 0x0902
AFFECTED_SOP_INSTANCE_UID = 0x1000

_HEAD = struct.Struct("<HHI")
_US = struct.Struct("<H")


@dataclass(frozen=True, slots=True)
class StoreCommand:
    """What a C-STORE request announces. A UID that is missing is empty."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    has_data_set: bool


def elements(encoded: bytes) -> dict[int, bytes]:
    """Return element number → value of an encoded command set, without group (0000).

    Raises
    ------
    ValueError
        If it is no command set.
    """
    found: dict[int, bytes] = {}
    at, end = 0, len(encoded)
    while at < end:
        if at + 8 > end:
            raise ValueError("the command set ends inside an element")
        group, element, length = _HEAD.unpack_from(encoded, at)
        at += 8
        if group != 0 or at + length > end:
            raise ValueError("the command set has an element that does not belong to it")
        found[element] = encoded[at : at + length]
        at += length
    return found


def store_command(found: dict[int, bytes]) -> StoreCommand | None:
    """Return the C-STORE request of a command set; None if it is another command.

    Raises
    ------
    ValueError
        If it has no command field, or is a C-STORE request without message ID.
    """
    if _number(found, COMMAND_FIELD) != C_STORE_REQUEST:
        return None
    return StoreCommand(
        message_id=_number(found, MESSAGE_ID),
        sop_class_uid=_uid(found, AFFECTED_SOP_CLASS_UID),
        sop_instance_uid=_uid(found, AFFECTED_SOP_INSTANCE_UID),
        has_data_set=_number(found, COMMAND_DATA_SET_TYPE) != NO_DATA_SET,
    )


def store_response(command: StoreCommand, status: int, comment: str = "") -> bytes:
    """Return the encoded answer to a C-STORE request; a comment goes into (0000,0902), cut to 64 characters."""
    body = b"".join(
        (
            _text(AFFECTED_SOP_CLASS_UID, command.sop_class_uid, b"\0"),
            _us(COMMAND_FIELD, C_STORE_RESPONSE),
            _us(MESSAGE_ID_RESPONDED_TO, command.message_id),
            _us(COMMAND_DATA_SET_TYPE, NO_DATA_SET),
            _us(STATUS, status),
            _text(ERROR_COMMENT, comment[:LONGEST_COMMENT], b" ") if comment else b"",
            _text(AFFECTED_SOP_INSTANCE_UID, command.sop_instance_uid, b"\0"),
        )
    )
    return _HEAD.pack(0, 0x0000, 4) + struct.pack("<I", len(body)) + body


def _number(found: dict[int, bytes], element: int) -> int:
    value = found.get(element, b"")
    if len(value) < 2:
        raise ValueError(f"the command set has no (0000,{element:04X})")
    number: int = _US.unpack_from(value)[0]
    return number


def _uid(found: dict[int, bytes], element: int) -> str:
    return found.get(element, b"").decode("ascii", "replace").strip("\0 ")


def _us(element: int, value: int) -> bytes:
    return _HEAD.pack(0, element, 2) + _US.pack(value)


def _text(element: int, value: str, padding: bytes) -> bytes:
    raw = value.encode("ascii", "replace")
    raw += padding * (len(raw) % 2)
    return _HEAD.pack(0, element, len(raw)) + raw
