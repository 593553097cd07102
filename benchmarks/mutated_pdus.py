"""Bytes that no peer should send to a DICOM port, drawn from a seed: nothing is right but to survive them."""

import random
import struct
from collections.abc import Callable

from benchmarks.mutated_data_sets import flipped
from benchmarks.peer import (
    ABORT,
    ACCEPT,
    DATA,
    RELEASE,
    REQUEST,
    association_request,
    data_pdu,
    make_instance,
    message,
    pdu,
    store_command,
)

Stream = list[bytes]
OTHER_LANGUAGES = (
    b"GET / HTTP/1.1\r\nHost: worklist\r\n\r\n",
    b"POST /studies HTTP/1.1\r\nContent-Length: 4294967296\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\x0bMSH|^~\\&|RIS|SITE|WORKLIST|SITE|20260302||ORM^O01|1|P|2.5\r\x1c\r",
)


def conversation(number: int) -> Stream:
    """Return a whole good conversation as PDUs: request, command, data, release."""
    return [association_request(), *message(make_instance(number, number), 400), pdu(RELEASE, bytes(4))]


def flipped_request(choice: random.Random, number: int) -> Stream:
    request, *rest = conversation(number)
    return [flipped(choice, request, choice.randint(1, 12)), *rest]


def flipped_data(choice: random.Random, number: int) -> Stream:
    stream = conversation(number)
    index = choice.randrange(1, len(stream))
    stream[index] = flipped(choice, stream[index], choice.randint(1, 8))
    return stream


def wrong_pdu_length(choice: random.Random, number: int) -> Stream:
    stream = conversation(number)
    index = choice.randrange(len(stream))
    lengths = (0, 1, 3, len(stream[index]) - 7, len(stream[index]), 70_000, 2**31, 2**32 - 1)
    stream[index] = stream[index][:2] + struct.pack(">I", choice.choice(lengths)) + stream[index][6:]
    return stream


def cut(choice: random.Random, number: int) -> Stream:
    whole = b"".join(conversation(number))
    return [whole[: choice.randrange(1, len(whole))]]


def out_of_order(choice: random.Random, number: int) -> Stream:
    others = (association_request(), pdu(ABORT, bytes(4)), pdu(ACCEPT, bytes(68)))
    stream = [*conversation(number), choice.choice(others)]
    choice.shuffle(stream)
    return stream


def unknown_pdu(choice: random.Random, number: int) -> Stream:
    stream = conversation(number)
    kind = choice.choice((0, 8, 9, 0x47, 0x80, 0xFF))
    stream.insert(choice.randrange(len(stream)), pdu(kind, choice.randbytes(choice.randrange(64))))
    return stream


def wrong_fragment(choice: random.Random, number: int) -> Stream:
    """Break the head of a fragment: its length, its context, its control byte."""
    stream = conversation(number)
    index = choice.randrange(1, len(stream) - 1)
    head = struct.pack(
        ">IBB",
        choice.choice((0, 1, 2, 2**16, 2**32 - 1)),
        choice.choice((0, 1, 2, 3, 255)),
        choice.randrange(256),
    )
    stream[index] = pdu(DATA, head + stream[index][12:])
    return stream


def many_fragments(choice: random.Random, number: int) -> Stream:
    items = struct.pack(">IBB", 2, 1, choice.choice((0, 1))) * choice.choice((1, 1_000, 20_000))
    return [association_request(), pdu(DATA, items), pdu(RELEASE, bytes(4))]


def wrong_command(choice: random.Random, number: int) -> Stream:
    instance = make_instance(number, number)
    command = store_command(instance)
    kind = choice.randrange(4)
    if kind == 0:
        command = flipped(choice, command, choice.randint(1, 8))
    elif kind == 1:
        command = command[: choice.randrange(len(command))]
    elif kind == 2:
        # Another service: C-FIND, C-MOVE, C-CANCEL, N-ACTION, a response.
        field = struct.pack("<H", choice.choice((0x0020, 0x0021, 0x0FFF, 0x0130, 0x8001, 0x7777)))
        command = command.replace(b"\0\0\0\1\2\0\0\0\1\0", b"\0\0\0\1\2\0\0\0" + field)
    else:
        # No data set is announced, and one comes.
        command = command.replace(b"\0\0\0\x08\2\0\0\0\1\0", b"\0\0\0\x08\2\0\0\0\1\1")
    return [association_request(), data_pdu(3, command), data_pdu(2, instance.data), pdu(RELEASE, bytes(4))]


def odd_request(choice: random.Random, number: int) -> Stream:
    """Ask with no context, too many, twice the same, or with titles of no letters."""
    requests = (
        pdu(REQUEST, association_request()[6:74]),
        association_request(classes=("1.2.840.10008.5.1.4.1.1.7",) * 128),
        association_request(classes=("", "../../x", "1" * 64)),
        association_request(calling=""),
        association_request(calling="\0\1\2\x7f"),
        association_request(calling="'; DROP TABLE--"),
        association_request(syntax=""),
        association_request(syntax="9.9.9.9"),
        pdu(REQUEST, association_request()[6:] + b"\x50\0\xff\xff"),
        pdu(REQUEST, association_request()[6:] + b"\x51\0\0\4\0\0\0\0" * 50),
    )
    return [choice.choice(requests), *conversation(number)[1:]]


def other_language(choice: random.Random, number: int) -> Stream:
    return [choice.choice(OTHER_LANGUAGES)]


def noise(choice: random.Random, number: int) -> Stream:
    return [choice.randbytes(choice.choice((1, 6, 10, 1_000, 100_000)))]


def aborted(choice: random.Random, number: int) -> Stream:
    return [*conversation(number)[: choice.randrange(1, 4)], pdu(ABORT, bytes(4))]


MUTATIONS: tuple[Callable[[random.Random, int], Stream], ...] = (
    flipped_request,
    flipped_data,
    wrong_pdu_length,
    cut,
    out_of_order,
    unknown_pdu,
    wrong_fragment,
    many_fragments,
    wrong_command,
    odd_request,
    other_language,
    noise,
    aborted,
)
