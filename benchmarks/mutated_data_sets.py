"""Data sets that no modality should send, drawn from a seed; each says which answers are right."""

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.peer import DEFLATED, EXPLICIT, IMPLICIT, Instance, element, elements_of, make_instance, text

SUCCESS, SET_ASIDE, DOES_NOT_MATCH, CANNOT_UNDERSTAND = 0x0000, 0xB007, 0xA900, 0xC000
ANY = frozenset({SUCCESS, SET_ASIDE, DOES_NOT_MATCH, CANNOT_UNDERSTAND})
KEPT, REFUSED = frozenset({SUCCESS}), frozenset({DOES_NOT_MATCH, CANNOT_UNDERSTAND})
UID_TAGS = (0x00080016, 0x00080018, 0x0020000D, 0x0020000E)
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = (struct.pack("<HH", 0xFFFE, number) for number in (0xE000, 0xE00D, 0xE0DD))


@dataclass(frozen=True)
class Case:
    """One data set to send, and the statuses that may answer it."""

    name: str
    instance: Instance
    right: frozenset[int]
    syntax: str = EXPLICIT


def bit_flips(choice: random.Random, number: int) -> Case:
    instance = make_instance(number, number)
    return _case("bit flips", flipped(choice, instance.data, choice.randint(1, 20)), number)


def truncation(choice: random.Random, number: int) -> Case:
    data = make_instance(number, number).data
    return _case("truncation", data[: choice.randrange(1, len(data))], number)


def wrong_length(choice: random.Random, number: int) -> Case:
    elements = elements_of(number, number)
    index = choice.randrange(len(elements))
    tag, vr = _head(elements[index])
    value = elements[index][12 if vr in {b"OW", b"SQ"} else 8 :]
    lengths = [0, 1, len(value) + 1, len(value) + 7, 0x7FFF, 0xFFFE, 0xFFFF]
    elements[index] = element(tag, vr, value, choice.choice(lengths))
    return _case("wrong length", b"".join(elements), number)


def odd_vr(choice: random.Random, number: int) -> Case:
    elements = elements_of(number, number)
    index = choice.randrange(len(elements))
    vr = choice.choice([b"ZZ", b"un", b"\0\0", b"UN", b"SQ", b"??", b"\xff\xfe", choice.randbytes(2)])
    elements[index] = elements[index][:4] + vr + elements[index][6:]
    return _case("odd VR", b"".join(elements), number)


def missing_uid(choice: random.Random, number: int) -> Case:
    gone = choice.choice(UID_TAGS)
    kept = [each for each in elements_of(number, number) if _head(each)[0] != gone]
    return _case("missing UID", b"".join(kept), number, right=REFUSED)


def malformed_uid(choice: random.Random, number: int) -> Case:
    """Put a path, letters or nothing into a UID; in the command as well, so that both agree."""
    uids = [
        f"../../../../outside-{number}",
        f"/tmp/outside-{number}",
        f"1.2/../../outside-{number}",
        "..",
        "1.2.3\\4.5.6",
        f"outside-{number}\0.dcm",
        "1.2.\n3",
        "C:\\outside",
        "",
        "1..2",
        ".1.2",
        "1.2.",
        "1." * 40 + "1",
        "%2e%2e%2foutside",
        "१.२.३".encode().decode("latin-1"),
    ]
    tag, uid = choice.choice(UID_TAGS), choice.choice(uids)
    elements = [
        text(tag, b"UI", uid) if _head(each)[0] == tag else each for each in elements_of(number, number)
    ]
    case = _case("malformed UID", b"".join(elements), number, right=REFUSED)
    if tag == 0x00080018 and len(uid) <= 64 and choice.random() < 0.7:
        return replace(case, instance=replace(case.instance, sop_instance_uid=uid))
    return case


def deep_sequences(choice: random.Random, number: int) -> Case:
    depth, is_defined, tag = (
        choice.choice((100, 400)),
        choice.random() < 0.5,
        choice.choice((0x00082218, 0x00081115)),
    )
    inner = text(0x00080100, b"SH", "T-1")
    for _ in range(depth):
        if is_defined:
            inner = element(tag, b"SQ", ITEM + struct.pack("<I", len(inner)) + inner)
        else:
            item = ITEM + struct.pack("<I", UNDEFINED) + inner + ITEM_END + bytes(4)
            inner = element(tag, b"SQ", item + SEQUENCE_END + bytes(4), UNDEFINED)
    return _with("deep sequences", number, inner, at=5, right=KEPT)


def empty_items(choice: random.Random, number: int) -> Case:
    items = (ITEM + bytes(4)) * choice.choice((1_000, 50_000))
    return _with("empty items", number, element(0x00082218, b"SQ", items), at=5, right=KEPT)


def endless_sequence(choice: random.Random, number: int) -> Case:
    opened = element(0x00081115, b"SQ", ITEM + struct.pack("<I", UNDEFINED), UNDEFINED) * choice.choice(
        (1, 5_000)
    )
    return _with("endless sequence", number, opened, at=choice.choice((0, 5)))


def wrong_character_set(choice: random.Random, number: int) -> Case:
    sets = [
        "ISO_IR 999",
        "\\ISO 2022 IR 87",
        "ISO 2022 IR 149\\ISO 2022 IR 58",
        "UTF8",
        "GB18030",
        "",
        "\x1b$B",
    ]
    names = [
        choice.randbytes(64),
        b"\x1b$B;3ED\x1b(J^\x1b$B",
        b"\xed\xa0\x80^\xed\xb0\x80",
        b"\xff" * 324,
        b"A\0B^\x07\r\n" + bytes(20),
        b"=" * 80,
    ]
    elements = elements_of(number, number)
    elements[0] = text(0x00080005, b"CS", choice.choice(sets))
    elements[5] = element(0x00100010, b"PN", choice.choice(names))
    elements[6] = element(0x00100020, b"LO", choice.choice(names)[:64])
    return _case("wrong character set", b"".join(elements), number, right=KEPT)


def odd_values(choice: random.Random, number: int) -> Case:
    values = [
        text(0x00200013, b"IS", "9" * 12),
        text(0x00200013, b"IS", "-1e9\\x"),
        text(0x00080020, b"DA", "99999999"),
        element(0x00280010, b"US", b""),
        element(0x00280010, b"US", b"\x05"),
        element(0x00280011, b"US", b"\xff\xff"),
        text(0x00100020, b"LO", "A\\B\\" + "C" * 500),
        text(0x00180015, b"CS", "wrist\\ELBOW"),
        text(0x00180015, b"CS", "'; DROP TABLE study; --"),
        element(0x00100010, b"PN", b"X" * 65_000),
    ]
    value = choice.choice(values)
    elements = [value if _head(each)[0] == _head(value)[0] else each for each in elements_of(number, number)]
    return _case("odd values", b"".join(elements), number, right=KEPT)


def pixel_data(choice: random.Random, number: int) -> Case:
    pixels = [
        element(0x7FE00010, b"OW", b""),
        element(0x7FE00010, b"OW", b"", UNDEFINED),
        element(0x7FE00010, b"OB", ITEM + bytes(4) + ITEM + struct.pack("<I", 1000) + b"\xff\xd8", UNDEFINED),
        element(0x7FE00010, b"OW", b"\1", 2**32 - 2),
        element(0x7FE00009, b"OD", bytes(8)),
        b"",
    ]
    elements = elements_of(number, number)[:-1]
    return _case("pixel data", b"".join([*elements, choice.choice(pixels)]), number, right=KEPT)


def disorder(choice: random.Random, number: int) -> Case:
    elements = elements_of(number, number)
    others = [
        text(0x00110010, b"LO", "PRIVATE"),
        element(0x00080000, b"UL", bytes(4)),
        *choice.sample(elements, 3),
    ]
    shuffled = elements[:-1] + others
    choice.shuffle(shuffled)
    return _case("disorder", b"".join([*shuffled, elements[-1]]), number)


def deflated(choice: random.Random, number: int) -> Case:
    """Deflate a bomb, a header behind a bomb, garbage, or half a stream."""
    header = make_instance(number, number).data
    bomb = element(0x00091001, b"UN", bytes(30_000_000))
    kind = choice.choice(("bomb behind", "bomb before", "garbage", "half"))
    plain = {"bomb behind": header + bytes(30_000_000), "bomb before": bomb + header}.get(kind, header)
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    data = packer.compress(plain) + packer.flush()
    if kind == "half":
        data = data[: len(data) // 2]
    elif kind == "garbage":
        data = flipped(choice, data, 30)
    right = {"bomb behind": KEPT, "bomb before": REFUSED}.get(kind, ANY)
    return replace(_case(f"deflated {kind}", data, number, right=right), syntax=DEFLATED)


def wrong_syntax(choice: random.Random, number: int) -> Case:
    case = choice.choice((bit_flips, truncation, odd_vr))(choice, number)
    return replace(case, name="wrong syntax", syntax=choice.choice((IMPLICIT, DEFLATED, "1.2.840.10008.1.2.2")))


def noise(choice: random.Random, number: int) -> Case:
    return _case("noise", choice.randbytes(choice.choice((1, 2, 131, 10_000))), number, right=REFUSED)


def other_command(choice: random.Random, number: int) -> Case:
    """Let the command name another instance or class than the data set."""
    case = _case("other command", make_instance(number, number).data, number, right=frozenset({DOES_NOT_MATCH}))
    other = choice.choice(({"sop_instance_uid": "1.2.3.4"}, {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7"}))
    return replace(case, instance=replace(case.instance, **other))


MUTATIONS: tuple[Callable[[random.Random, int], Case], ...] = (
    bit_flips,
    truncation,
    wrong_length,
    odd_vr,
    missing_uid,
    malformed_uid,
    deep_sequences,
    empty_items,
    endless_sequence,
    wrong_character_set,
    odd_values,
    pixel_data,
    disorder,
    deflated,
    wrong_syntax,
    noise,
    other_command,
)


def flipped(choice: random.Random, data: bytes, bits: int) -> bytes:
    changed = bytearray(data)
    for _ in range(bits):
        changed[choice.randrange(len(changed))] ^= 1 << choice.randrange(8)
    return bytes(changed)


def _case(name: str, data: bytes, number: int, right: frozenset[int] = ANY) -> Case:
    return Case(name, replace(make_instance(number, number), data=data), right)


def _with(name: str, number: int, more: bytes, *, at: int, right: frozenset[int] = ANY) -> Case:
    elements = elements_of(number, number)
    return _case(name, b"".join([*elements[:at], more, *elements[at:]]), number, right)


def _head(encoded: bytes) -> tuple[int, bytes]:
    group, number = struct.unpack_from("<HH", encoded)
    return group << 16 | number, encoded[4:6]
