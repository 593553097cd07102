"""Fragments of a data set, however they are cut, become the same file; everything else is passed on."""

import struct
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.worklist.receiver.modality import store_command
from worklist import archive, clock
from worklist.receiver.command import elements
from worklist.receiver.lane import StoreLane, fragments
from worklist.receiver.spool import Incoming
from worklist.settings import Settings

DATA_SET = bytes(range(256)) * 5


class Connection:
    """A network that records what the lane asks of it."""

    def __init__(self) -> None:
        self.passed_on: list[tuple[int, bytes]] = []
        self.answers: list[bytes] = []

    def transfer_syntax_uid(self, context_id: int) -> str:
        return {1: "1.2.840.10008.1.2.1"}[context_id]

    def pass_on(self, context_id: int, fragment: bytes) -> None:
        self.passed_on.append((context_id, fragment))

    def answer(self, context_id: int, response: bytes) -> None:
        self.answers.append(response)


class Store:
    """Keeps the bytes of what was stored."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []

    def __call__(self, incoming: Incoming) -> tuple[int, str]:
        kept = incoming.finish().keep(clock.now())
        self.contents.append(archive.path_of(kept.file_path).read_bytes())
        return 0, ""


def item(control: int, fragment: bytes, context_id: int = 1) -> bytes:
    return struct.pack(">IBB", len(fragment) + 2, context_id, control) + fragment


def cut(content: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted({place % len(content) for place in places} - {0}), len(content)]
    return [content[start:end] for start, end in pairwise(ends)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    st.lists(st.integers(0, 2000), max_size=8), st.lists(st.integers(0, 2000), max_size=8), st.integers(1, 9)
)
def test_file_is_the_same_however_the_message_is_cut(
    site: Settings, of_command: list[int], of_data: list[int], items_in_a_pdu: int
) -> None:
    connection, store = Connection(), Store()
    lane = StoreLane(connection, store)
    items = []
    for control, content, places in ((1, store_command(), of_command), (0, DATA_SET, of_data)):
        pieces = cut(content, places)
        items += [item(control | (2 if at == len(pieces) else 0), piece) for at, piece in enumerate(pieces, 1)]
    for at in range(0, len(items), items_in_a_pdu):
        lane.take(memoryview(b"".join(items[at : at + items_in_a_pdu])))
    (content,) = store.contents
    assert content[128:132] == b"DICM"
    assert content.endswith(DATA_SET)
    assert len(connection.answers) == 1
    assert connection.passed_on == []


def test_other_commands_and_their_data_are_passed_on(site: Settings) -> None:
    connection = Connection()
    lane = StoreLane(connection, Store())
    command = struct.pack("<HHIH", 0, 0x0100, 2, 0x0020)  # C-FIND-RQ
    lane.take(memoryview(item(1, command[:5]) + item(3, command[5:]) + item(0, b"iden") + item(2, b"tifier")))
    assert connection.passed_on == [(1, b"\x03" + command), (1, b"\x00iden"), (1, b"\x02tifier")]


@pytest.mark.parametrize(
    "items",
    [
        item(3, store_command()) + item(3, store_command()),
        item(3, store_command()) + item(2, b"data", context_id=3),
        item(3, store_command(), context_id=5),
        item(3, store_command())[:-1],
        b"\0\0\0\1\1\3",
        item(1, bytes(60_000)) * 2,
        item(0, bytes(600_000)) * 2,
    ],
    ids=["two commands", "two contexts", "unknown context", "cut off", "too short", "command", "identifier"],
)
def test_what_breaks_the_rules_is_refused_and_leaves_no_file(site: Settings, items: bytes) -> None:
    lane = StoreLane(Connection(), Store())
    with pytest.raises((ValueError, KeyError)):
        lane.take(memoryview(items))
    lane.discard()
    assert list(Path(archive.spool_folder()).glob("*.part")) == []


@given(st.binary(min_size=1, max_size=500), st.integers(7, 300))
def test_answer_fits_the_longest_pdu_of_the_peer(command: bytes, largest: int) -> None:
    pdus, together = fragments(1, command, largest), b""
    while pdus:
        length = struct.unpack_from(">I", pdus, 2)[0]
        assert length <= largest
        together, pdus = together + pdus[12 : 6 + length], pdus[6 + length :]
    assert together == command


def test_answer_in_one_piece_is_one_pdu() -> None:
    whole = fragments(3, b"command", 0)
    assert whole == b"\x04\0\0\0\0\x0d\0\0\0\x09\x03\x03command"
    assert elements(b"") == {}
