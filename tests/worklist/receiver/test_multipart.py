"""The multipart reader, whatever the sizes in which a body arrives."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.errors import Invalid
from worklist.receiver import multipart
from worklist.receiver.multipart import Multipart

BOUNDARY = "frontier"
HEADERS = b"Content-Type: application/dicom"
CONTENTS = st.lists(
    st.one_of(st.binary(max_size=300), st.just(b"\r\n--frontie"), st.just(b"\r\n\r\n--")), max_size=4
)


def body(contents: list[bytes], headers: bytes = HEADERS) -> bytes:
    parts = [b"\r\n--frontier\r\n" + headers + b"\r\n\r\n" + content for content in contents]
    return (b"".join(parts) + b"\r\n--frontier--\r\nepilogue")[2:]


def parts_of(encoded: bytes, step: int = 1000) -> list[bytes]:
    stream = BytesIO(encoded)
    return [b"".join(part) for part in Multipart(lambda most: stream.read(min(step, most)), BOUNDARY)]


@given(CONTENTS, st.integers(1, 50))
def test_parts_come_out_as_they_went_in(contents: list[bytes], step: int) -> None:
    contents = [content for content in contents if b"\r\n--frontier" not in content]
    assert parts_of(body(contents), step) == contents


def test_part_without_headers_and_a_preamble_are_fine() -> None:
    assert parts_of(b"preamble\r\n--frontier\r\n\r\nA\r\n--frontier--") == [b"A"]


def test_what_is_left_of_a_part_is_skipped() -> None:
    stream = BytesIO(body([bytes(200_000), b"second"]))
    first, second = [next(part) for part in Multipart(stream.read, BOUNDARY)]
    assert len(first) < 200_000
    assert second == b"second"


def test_no_more_than_two_pieces_are_held() -> None:
    stream = BytesIO(body([bytes(5_000_000)]))
    sizes = [len(piece) for part in Multipart(stream.read, BOUNDARY) for piece in part]
    assert sum(sizes) == 5_000_000
    assert max(sizes) <= 2 * multipart.PIECE_BYTES


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"no boundary at all",
        body([b"A"])[:-14],
        body([b"A"], b"x" * 20_000),
        b"--frontier",
        b"--frontier\r\nA: b",
    ],
)
def test_body_that_has_no_end_is_refused(encoded: bytes) -> None:
    with pytest.raises(Invalid):
        parts_of(encoded)


@pytest.mark.parametrize("boundary", ["", "x" * 71, "gränze"])
def test_boundary_that_is_none_is_refused(boundary: str) -> None:
    with pytest.raises(Invalid, match="boundary"):
        Multipart(BytesIO().read, boundary)
