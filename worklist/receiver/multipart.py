"""A multipart body, read part by part and piece by piece; nothing is held but the piece.

References
----------
RFC 2046 5.1.1; RFC 2387 (multipart/related).
"""

from collections.abc import Callable, Iterator

from worklist.errors import Invalid

PIECE_BYTES = 64 * 1024
LONGEST_HEADERS = 16 * 1024
LONGEST_BOUNDARY = 70
BLANK_LINE = b"\r\n\r\n"


class Multipart:
    """Iterate over it for the parts, and over each part for its pieces, without its headers.

    Parameters
    ----------
    read
        Returns at most so many bytes of the body, and none at its end.
    """

    def __init__(self, read: Callable[[int], bytes], boundary: str) -> None:
        if not 1 <= len(boundary) <= LONGEST_BOUNDARY or not boundary.isascii():
            raise Invalid("The boundary of the multipart body is missing or too long.")
        self._read = read
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._buffer = b"\r\n"  # so that the first boundary is found like the others

    def __iter__(self) -> Iterator[Iterator[bytes]]:
        """Yield each part; what is left of one is skipped.

        Raises
        ------
        Invalid
            If the body ends before its last boundary, or the headers of a part have no end.
        """
        self._skip()
        while self._next_part_begins():
            part = self._pieces()
            yield part
            for _ in part:
                pass

    def _skip(self) -> None:
        for _ in self._pieces():
            pass

    def _next_part_begins(self) -> bool:
        """Go behind boundary and headers; say if there is a part."""
        self._buffer = self._buffer[len(self._delimiter) :]
        while len(self._buffer) < 2:
            self._fill()
        if self._buffer.startswith(b"--"):
            return False
        while (end := self._buffer.find(BLANK_LINE)) < 0:
            if len(self._buffer) > LONGEST_HEADERS:
                raise Invalid("The headers of a part have no end.")
            self._fill()
        self._buffer = self._buffer[end + len(BLANK_LINE) :]
        return True

    def _pieces(self) -> Iterator[bytes]:
        """Yield what comes before the next boundary."""
        while (at := self._buffer.find(self._delimiter)) < 0:
            # The end may be the beginning of a boundary.
            safe = len(self._buffer) - len(self._delimiter) + 1
            if safe > 0:
                piece, self._buffer = self._buffer[:safe], self._buffer[safe:]
                yield piece
            self._fill()
        piece, self._buffer = self._buffer[:at], self._buffer[at:]
        if piece:
            yield piece

    def _fill(self) -> None:
        more = self._read(PIECE_BYTES)
        if not more:
            raise Invalid("The multipart body ends before its last boundary.")
        self._buffer += more
