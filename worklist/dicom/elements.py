"""Walk the elements of a DICOM file without pixels, without recursion, and without trust.

A general parser reads the whole tree first: 1,000,000 empty items (8 MB) cost it 13.7 s and 665 MB, and 300
nested sequences a ``RecursionError`` (both measured with pydicom 3.0). Here a sequence of known length is one
step, the others are walked with a list of open levels, and the number of steps is limited.

References
----------
PS3.5 7.1 (elements), 7.5 (nesting), 6.2.2 (UN of undefined length), A.5 (deflated).
"""

import mmap
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from worklist.errors import Invalid

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
UNDEFINED = 0xFFFFFFFF
ENDLESS = 2**63
STEPS = 100_000
STRIDE = 8 * 1024
LONGEST_VALUE = 16_384
INFLATED_PREFIX = 8 * 1024**2

BIG_ENDIAN = "1.2.840.10008.1.2.2"
# PS3.5 A.5, and the two JPIP syntaxes whose data set is deflated as well.
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
LONG_VRS = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)

Bytes = bytes | mmap.mmap


class Element(NamedTuple):
    """Where one element lies; ``depth`` is 0 outside of all sequences, 2 inside an item."""

    tag: int
    at: int
    start: int
    length: int
    depth: int
    outermost: int


class _Level(NamedTuple):
    """An open sequence or item; it lasts to its end, or to its delimiter if that is `ENDLESS`."""

    tag: int
    end: int
    is_implicit: bool


class Walk:
    """One pass over the elements from an offset on."""

    def __init__(
        self,
        data: Bytes,
        offset: int = 0,
        *,
        is_implicit: bool = False,
        is_big_endian: bool = False,
        enter: frozenset[int] = frozenset(),
    ) -> None:
        order = ">" if is_big_endian else "<"
        self._data = data
        self._offset = offset
        self._is_implicit = is_implicit
        self._enter = enter
        self._levels: list[_Level] = []
        self._head = struct.Struct(f"{order}HH2sH").unpack_from
        self._length = struct.Struct(f"{order}I").unpack_from

    def __iter__(self) -> Iterator[Element]:
        """Yield every element that can be reached without entering sequences of known length.

        Raises
        ------
        Invalid
            If there are more than `STEPS` elements and items.
        """
        size, levels = len(self._data), self._levels
        for _ in range(STEPS):
            while levels and self._offset >= levels[-1].end:
                levels.pop()
            if self._offset + 8 > size:
                return
            element, vr = self._next()
            self._offset = element.start
            if element.tag >> 16 == 0xFFFE:
                self._on_delimiter(element)
            else:
                self._move_past(element, vr)
                yield element
        raise Invalid(f"The header has more than {STEPS} elements and sequence items.")

    def _next(self) -> tuple[Element, bytes]:
        """Decode tag, VR and length at the current offset."""
        at, levels = self._offset, self._levels
        group, number, vr, length = self._head(self._data, at)
        start = at + 8
        is_implicit = levels[-1].is_implicit if levels else self._is_implicit
        # Delimiters have no VR, and some writers forget it.
        if is_implicit or group == 0xFFFE or not (vr.isalpha() and vr.isupper()):
            (length,) = self._length(self._data, at + 4)
        elif vr in LONG_VRS and at + 12 <= len(self._data):
            (length,) = self._length(self._data, start)
            start += 4
        outermost = levels[0].tag if levels else 0
        return Element(group << 16 | number, at, start, length, len(levels), outermost), vr

    def _on_delimiter(self, element: Element) -> None:
        if element.tag != ITEM:
            if self._levels:
                self._levels.pop()
        elif element.length == UNDEFINED:
            self._open(ITEM, ENDLESS)
        elif element.length == 0:
            self._skip_empty_items(element.at)
        elif len(self._levels) == 1 and self._levels[0].tag in self._enter:
            self._open(ITEM, element.start + element.length)
        else:
            self._offset += element.length

    def _skip_empty_items(self, at: int) -> None:
        """Step over a run of empty items in large strides."""
        one = bytes(self._data[at : at + 8])
        while self._data[self._offset : self._offset + STRIDE] == one * (STRIDE // 8):
            self._offset += STRIDE

    def _move_past(self, element: Element, vr: bytes) -> None:
        if element.length == UNDEFINED:
            self._open(element.tag, ENDLESS, is_implicit=vr == b"UN")
        elif not self._levels and element.tag in self._enter:
            self._open(element.tag, element.start + element.length)
        else:
            self._offset += element.length

    def _open(self, tag: int, end: int, *, is_implicit: bool = False) -> None:
        inherited = self._levels[-1].is_implicit if self._levels else self._is_implicit
        self._levels.append(_Level(tag, end, is_implicit or inherited))


@dataclass(frozen=True)
class Found:
    """The raw values that were looked for.

    Attributes
    ----------
    values : mapping of tag to bytes
        Values outside of sequences; nothing is decoded or stripped.
    codes : mapping of (tag, tag) to bytes
        Values in the first item of the sequences that were entered.
    is_truncated : bool
        A value, or the pixel data, runs past the end of the file.
    """

    transfer_syntax_uid: str
    values: Mapping[int, bytes]
    codes: Mapping[tuple[int, int], bytes]
    is_big_endian: bool
    is_truncated: bool


@dataclass(frozen=True)
class Wanted:
    """What to look for: tags, those without which reading goes on, and sequences to look into."""

    tags: frozenset[int]
    required: frozenset[int] = frozenset()
    enter: frozenset[int] = frozenset()

    def is_satisfied(self, tag: int, found: Mapping[int, bytes]) -> bool:
        """Say if nothing wanted can follow: elements ascend, except in files of writers that forget it."""
        return tag in PIXEL_DATA or (tag > max(self.tags) and self.required <= found.keys())


def read_elements(path: Path, wanted: Wanted) -> Found:
    """Read the wanted elements of a DICOM file, never its pixel data.

    Raises
    ------
    Invalid
        If it is no DICOM file, or has too many elements to be looked at.
    """
    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            raise Invalid("This is no DICOM file: the prefix DICM is missing.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            (_, _, syntax), start = _file_meta(data)
            if syntax in DEFLATED:
                return _collect(_inflated_prefix(data, start), 0, syntax, wanted)
            return _collect(data, start, syntax, wanted)


def file_meta(path: Path) -> tuple[str, str, str]:
    """Return SOP class, SOP instance and transfer syntax UID from the file meta information.

    Raises
    ------
    Invalid
        If it is no DICOM file.
    """
    with path.open("rb") as file:
        head = file.read(LONGEST_VALUE)
    if head[128:132] != b"DICM":
        raise Invalid("This is no DICOM file: the prefix DICM is missing.")
    return _file_meta(head)[0]


def _file_meta(data: Bytes) -> tuple[tuple[str, str, str], int]:
    """Return the three UIDs of the file meta information, and where the data set begins."""
    values: dict[int, str] = {}
    end = len(data)
    for element in Walk(data, 132):
        if element.tag >> 16 != 2:
            end = element.at
            break
        values[element.tag] = _value(data, element).rstrip(b"\0 ").decode("ascii", "replace")
    sop_class, sop_instance, syntax = (values.get(tag, "") for tag in (0x00020002, 0x00020003, 0x00020010))
    return (sop_class, sop_instance, syntax), end


def _inflated_prefix(data: Bytes, start: int) -> bytes:
    # A bomb of 194 KB inflates to 200 MB; the header is in the first bytes.
    try:
        return zlib.decompressobj(-15).decompress(data[start : start + INFLATED_PREFIX], INFLATED_PREFIX)
    except zlib.error as error:
        raise Invalid("The deflated data set cannot be inflated.") from error


def _collect(data: Bytes, start: int, syntax: str, wanted: Wanted) -> Found:
    is_big_endian = syntax == BIG_ENDIAN
    is_implicit = not _looks_explicit(data, start)
    walk = Walk(data, start, is_implicit=is_implicit, is_big_endian=is_big_endian, enter=wanted.enter)
    values: dict[int, bytes] = {}
    codes: dict[tuple[int, int], bytes] = {}
    is_truncated = False
    for element in walk:
        if element.depth == 0:
            is_truncated = is_truncated or (syntax not in DEFLATED and _runs_over(data, element))
            if element.tag in wanted.tags:
                values.setdefault(element.tag, _value(data, element))
            if wanted.is_satisfied(element.tag, values):
                break
        elif element.depth == 2 and element.outermost in wanted.enter:
            codes.setdefault((element.outermost, element.tag), _value(data, element))
    return Found(syntax, values, codes, is_big_endian, is_truncated)


def _looks_explicit(data: Bytes, start: int) -> bool:
    # Private syntaxes say nothing of their VRs, and some files disagree with their own syntax.
    vr = data[start + 4 : start + 6]
    return vr.isalpha() and vr.isupper()


def _runs_over(data: Bytes, element: Element) -> bool:
    return element.length != UNDEFINED and element.start + element.length > len(data)


def _value(data: Bytes, element: Element) -> bytes:
    if element.length == UNDEFINED:
        return b""
    return bytes(data[element.start : element.start + min(element.length, LONGEST_VALUE)])
