"""The File Meta Information that goes before a received data set.

It is encoded here, byte by byte, and not by a library, for two reasons: the same instance must always give the
same file, whichever version of a library is installed, or a resent image would look like a changed one; and
UIDs that break the rules must not raise before the whole object has been received.

References
----------
PS3.10 7.1.
"""

import struct

# Derived from a UUID (PS3.5 B.2); names this application, not its version.
IMPLEMENTATION_CLASS_UID = "2.25.282106243137423013419385424276432187611"
IMPLEMENTATION_VERSION_NAME = "WORKLIST"


def encode(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Return preamble, prefix and file meta information as bytes."""
    body = struct.pack("<HH2sHI2s", 2, 0x0001, b"OB", 0, 2, b"\x00\x01")
    body += _text(0x0002, b"UI", sop_class_uid, padding=b"\0")
    body += _text(0x0003, b"UI", sop_instance_uid, padding=b"\0")
    body += _text(0x0010, b"UI", transfer_syntax_uid, padding=b"\0")
    body += _text(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, padding=b"\0")
    body += _text(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, padding=b" ")
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(body)) + body


def _text(element: int, vr: bytes, value: str, *, padding: bytes) -> bytes:
    raw = value.encode("ascii", "replace")
    raw += padding * (len(raw) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(raw)) + raw
