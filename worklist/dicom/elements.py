"""Walk the elements of a DICOM file without pixels, without recursion, and without trust.

A general parser reads the whole tree first: 1,000,000 empty items (8 MB) cost it 13.7 s and 665 MB, and 300
nested sequences a ``RecursionError`` (both measured with pydicom 3.0). Here a sequence of known length is one
step, the others are walked with a list of open levels, and the number of steps is limited.

References
----------
PS3.5 7.1 (elements), 7.5 (nesting), 6.2.2 (UN of undefined length), A.5 (deflated).
"""

import mmap
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from worklist.errors import Invalid

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
UNDEFINED = 0xFFFFFFFF
STEPS = 300_000
LONGEST_VALUE = 16_384
INFLATED_PREFIX = 8 * 1024**2

BIG_ENDIAN = "1.2.840.10008.1.2.2"
# PS3.5 A.5, and the two JPIP syntaxes whose data set is deflated as well.
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
LONG_VRS = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
EMPTY_ITEMS = re.compile(rb"(?:\xfe\xff\x00\xe0\x00\x00\x00\x00)+|(?:\xff\xfe\xe0\x00\x00\x00\x00\x00)+")

Bytes = bytes | mmap.mmap


@dataclass(frozen=True)
class Element:
    """Where one element lies; ``depth`` is 0 outside of all sequences, 2 inside an item."""

    tag: int
    at: int
    start: int
    length: int
    depth: int
    outermost: int


@dataclass
class _Level:
    """An open sequence or item; without an end it lasts until its delimiter."""

    tag: int
    end: int | None
    is_implicit: bool


@dataclass
class Walk:
    """One pass over the elements from an offset on."""

    data: Bytes
    offset: int = 0
    is_implicit: bool = False
    is_big_endian: bool = False
    enter: frozenset[int] = frozenset()
    _levels: list[_Level] = field(default_factory=list)

    def __iter__(self) -> Iterator[Element]:
        """Yield every element that can be reached without entering sequences of known length.

        Raises
        ------
        Invalid
            If there are more than `STEPS` elements and items.
        """
        size = len(self.data)
        for _ in range(STEPS):
            self._leave_finished_levels()
            if self.offset + 8 > size:
                return
            element, is_unknown = self._next()
            if element.tag >> 16 == 0xFFFE:
                self._on_delimiter(element)
                continue
            self._move_past(element, is_unknown)
            yield element
        raise Invalid(f"The header has more than {STEPS} elements and sequence items.")

    def _leave_finished_levels(self) -> None:
        while self._levels and self._levels[-1].end is not None and self.offset >= self._levels[-1].end:
            self._levels.pop()

    def _next(self) -> tuple[Element, bool]:
        """Decode tag, VR and length at the current offset; also say if the VR is UN."""
        order = ">" if self.is_big_endian else "<"
        group, number = struct.unpack_from(f"{order}HH", self.data, self.offset)
        vr = self._vr(group)
        if vr in LONG_VRS and self.offset + 12 <= len(self.data):
            (length,) = struct.unpack_from(f"{order}I", self.data, self.offset + 8)
            start = self.offset + 12
        elif vr:
            (length,) = struct.unpack_from(f"{order}H", self.data, self.offset + 6)
            start = self.offset + 8
        else:
            (length,) = struct.unpack_from(f"{order}I", self.data, self.offset + 4)
            start = self.offset + 8
        outermost = self._levels[0].tag if self._levels else 0
        tag = group << 16 | number
        return Element(tag, self.offset, start, length, len(self._levels), outermost), vr == b"UN"

    def _vr(self, group: int) -> bytes:
        """Return the VR, or nothing where there is none: delimiters, implicit VR, writers that forgot it."""
        if group == 0xFFFE or (self._levels[-1].is_implicit if self._levels else self.is_implicit):
            return b""
        vr = self.data[self.offset + 4 : self.offset + 6]
        return vr if vr.isalpha() and vr.isupper() else b""

    def _on_delimiter(self, element: Element) -> None:
        self.offset = element.start
        if element.tag != ITEM:
            if self._levels:
                self._levels.pop()
        elif element.length == UNDEFINED:
            self._open(ITEM, None)
        elif element.length == 0:
            run = EMPTY_ITEMS.match(self.data, element.at)
            self.offset = run.end() if run else element.start
        elif len(self._levels) == 1 and self._levels[0].tag in self.enter:
            self._open(ITEM, element.start + element.length)
        else:
            self.offset = element.start + element.length

    def _move_past(self, element: Element, is_unknown: bool) -> None:
        self.offset = element.start
        if element.length == UNDEFINED:
            self._open(element.tag, None, is_implicit=is_unknown)
        elif element.tag in self.enter and not self._levels:
            self._open(element.tag, element.start + element.length)
        else:
            self.offset = element.start + element.length

    def _open(self, tag: int, end: int | None, *, is_implicit: bool = False) -> None:
        inherited = self._levels[-1].is_implicit if self._levels else self.is_implicit
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
    walk = Walk(
        data,
        start,
        is_implicit=not _looks_explicit(data, start),
        is_big_endian=syntax == BIG_ENDIAN,
        enter=wanted.enter,
    )
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
    return Found(syntax, values, codes, walk.is_big_endian, is_truncated)


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
