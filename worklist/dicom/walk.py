"""Walk the elements of a data set without recursion, in a limited number of steps.

A general parser reads the whole tree first: 1,000,000 empty items (8 MB) cost it 13.7 s and 665 MB, and 300
nested sequences a ``RecursionError`` (both measured with pydicom 3.0). Here a sequence of known length is one
step, the others are walked with a list of open levels, and the number of steps is limited.

References
----------
PS3.5 7.1 (elements), 7.5 (nesting), 6.2.2 (UN of undefined length).
"""

import mmap
import struct
from collections.abc import Iterator
from typing import NamedTuple

from worklist.errors import Invalid

ITEM = 0xFFFEE000
UNDEFINED = 0xFFFFFFFF
ENDLESS = 2**63
STEPS = 100_000
STRIDE = 8 * 1024
LONG_VRS = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
SHORT_VRS = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL"}
    | {b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
)

Bytes = bytes | bytearray | mmap.mmap


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
    """One pass over the elements from an offset on.

    Parameters
    ----------
    enter
        Sequences of known length to look into.
    wanted
        Top-level elements that matter, those of ``enter`` among them: others up to the last of them need not be
        yielded, as far as they lie inside the data. None wants all.
    """

    def __init__(
        self,
        data: Bytes,
        offset: int = 0,
        *,
        is_implicit: bool = False,
        is_big_endian: bool = False,
        enter: frozenset[int] = frozenset(),
        wanted: frozenset[int] | None = None,
    ) -> None:
        order = ">" if is_big_endian else "<"
        self._data = data
        self._offset = offset
        self._is_implicit = is_implicit
        self._enter = enter
        self._wanted = wanted or frozenset()
        self._last_wanted = max(self._wanted, default=0)
        self._levels: list[_Level] = []
        self._head = struct.Struct(f"{order}HH2sH").unpack_from
        self._length = struct.Struct(f"{order}I").unpack_from

    def __iter__(self) -> Iterator[Element]:
        """Yield every wanted element that can be reached without entering sequences of known length.

        Raises
        ------
        Invalid
            If there are more than `STEPS` elements and items.
        """
        size, levels, steps = len(self._data), self._levels, 0
        while steps < STEPS:
            steps += 1
            while levels and self._offset >= levels[-1].end:
                levels.pop()
            if not levels:
                steps += self._skip_unwanted(STEPS - steps)
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

    def _skip_unwanted(self, steps: int) -> int:
        """Step over plain top-level elements that nobody wants, and return how many they were.

        Nearly all are: told apart here they cost a third of what they would as objects.
        """
        data, at, wanted, last = self._data, self._offset, self._wanted, self._last_wanted
        size, head, is_implicit = len(data) - 12, self._head, self._is_implicit
        count = 0
        while count < steps and at <= size:
            group, number, vr, length = head(data, at)
            tag = group << 16 | number
            if tag > last or tag in wanted:
                break
            if is_implicit:
                end = at + 8 + self._length(data, at + 4)[0]
            elif vr in SHORT_VRS:
                end = at + 8 + length
            elif vr in LONG_VRS:
                end = at + 12 + self._length(data, at + 8)[0]
            else:
                break
            if end > size:  # of undefined length, or past the end of the data: not plain
                break
            at, count = end, count + 1
        self._offset = at
        return count

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
