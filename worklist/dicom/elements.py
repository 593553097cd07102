"""The raw values of a few elements of a DICOM file: no pixels are read, and nothing in it is trusted.

References
----------
PS3.5 A.5 (deflated), PS3.10 7.1 (file meta information).
"""

import mmap
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from worklist.dicom.walk import UNDEFINED, Bytes, Element, Walk
from worklist.errors import Invalid

PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
PREFIX_END = 132
NO_PREFIX = "This is no DICOM file: the prefix DICM is missing."
LONGEST_VALUE = 16_384
INFLATED_PREFIX = 8 * 1024**2
INFLATED_BLOCK = 64 * 1024

BIG_ENDIAN = "1.2.840.10008.1.2.2"
# PS3.5 A.5, and the two JPIP syntaxes whose data set is deflated as well.
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})


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

    @cached_property
    def all_tags(self) -> frozenset[int]:
        """Tags of elements and of sequences."""
        return self.tags | self.enter

    @cached_property
    def last(self) -> int:
        """The largest of the tags."""
        return max(self.tags)

    def is_satisfied(self, tag: int, found: Mapping[int, bytes]) -> bool:
        """Say if nothing wanted can follow: elements ascend, except in files of writers that forget it."""
        return tag in PIXEL_DATA or (tag > self.last and self.required <= found.keys())


def read_elements(file: Path | bytearray, wanted: Wanted) -> Found:
    """Read the wanted elements of a DICOM file, or of its content, never its pixel data.

    Raises
    ------
    Invalid
        If it is no DICOM file, or has too many elements to be looked at.
    """
    if isinstance(file, bytearray):
        return _read(file, wanted)
    with file.open("rb") as opened:
        if opened.read(PREFIX_END)[128:] != b"DICM":  # an empty file cannot be mapped
            raise Invalid(NO_PREFIX)
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _read(data, wanted)


def file_meta(path: Path) -> tuple[str, str, str]:
    """Return SOP class, SOP instance and transfer syntax UID from the file meta information.

    Raises
    ------
    Invalid
        If it is no DICOM file.
    """
    with path.open("rb") as file:
        return split_head(file.read(LONGEST_VALUE))[0]


def split_head(head: Bytes) -> tuple[tuple[str, str, str], int]:
    """Return the same of the first bytes of a file, and where its data set begins.

    Raises
    ------
    Invalid
        If it is no DICOM file.
    """
    if head[128:PREFIX_END] != b"DICM":
        raise Invalid(NO_PREFIX)
    return _file_meta(head)


def _read(data: Bytes, wanted: Wanted) -> Found:
    (_, _, syntax), start = split_head(data)
    if syntax in DEFLATED:
        with _inflated_prefix(data, start) as prefix:
            return _collect(prefix, 0, syntax, wanted)
    return _collect(data, start, syntax, wanted)


def _file_meta(data: Bytes) -> tuple[tuple[str, str, str], int]:
    """Return the three UIDs of the file meta information, and where the data set begins."""
    values: dict[int, str] = {}
    end = len(data)
    for element in Walk(data, PREFIX_END):
        if element.tag >> 16 != 2:
            end = element.at
            break
        values[element.tag] = _value(data, element).rstrip(b"\0 ").decode("ascii", "replace")
    sop_class, sop_instance, syntax = (values.get(tag, "") for tag in (0x00020002, 0x00020003, 0x00020010))
    return (sop_class, sop_instance, syntax), end


def _inflated_prefix(data: Bytes, start: int) -> mmap.mmap:
    """Return the first bytes of a deflated data set: a bomb of 194 KB inflates to 200 MB.

    Memory of its own, which goes back to the system: freed as bytes, 8 MB would stay with each thread's heap.
    """
    prefix = mmap.mmap(-1, INFLATED_PREFIX)
    inflater = zlib.decompressobj(-15)
    try:
        for at in range(start, len(data), INFLATED_BLOCK):
            packed = data[at : at + INFLATED_BLOCK]
            while packed and prefix.tell() < INFLATED_PREFIX:
                room = INFLATED_PREFIX - prefix.tell()
                prefix.write(inflater.decompress(packed, min(room, INFLATED_BLOCK)))
                packed = inflater.unconsumed_tail
            if inflater.eof or prefix.tell() == INFLATED_PREFIX:
                break
    except zlib.error as error:
        raise Invalid("The deflated data set cannot be inflated.") from error
    prefix.resize(max(prefix.tell(), 1))
    return prefix


def _collect(data: Bytes, start: int, syntax: str, wanted: Wanted) -> Found:
    is_big_endian = syntax == BIG_ENDIAN
    is_implicit = not _looks_explicit(data, start)
    walk = Walk(
        data,
        start,
        is_implicit=is_implicit,
        is_big_endian=is_big_endian,
        enter=wanted.enter,
        wanted=wanted.all_tags,
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
