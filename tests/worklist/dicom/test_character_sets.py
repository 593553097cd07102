"""Names in every script, declared rightly, wrongly, or not at all; nothing ever raises, no byte is changed."""

import codecs
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.worklist.datasets import element, uids, write_raw
from worklist.dicom.character_sets import FALLBACKS, declared_encodings, printable, text_of
from worklist.dicom.header import InstanceHeader, read_header


def header_of(
    tmp_path: Path, charset: bytes | None, name: bytes, fallback: str = "", vr_lo: bytes = b""
) -> InstanceHeader:
    declared = [] if charset is None else [element(0x00080005, b"CS", charset + b" " * (len(charset) % 2))]
    texts = [element(0x0008103E, b"LO", vr_lo), element(0x00100010, b"PN", name)]
    path = write_raw(tmp_path / "image.dcm", *declared, *uids()[:2], *texts, *uids()[2:])
    before = path.read_bytes()
    header = read_header(path, fallback)
    assert path.read_bytes() == before
    assert name in before
    return header


# PS3.5 Annexes H (Japanese), I (Korean), J (Chinese in Unicode and GB18030), K (Chinese with escapes), and
# the European examples of PS3.5 6.1.2 as pydicom's tests hold them.
STANDARD = [
    (
        b"\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    (
        b"ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    (
        b"\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    (
        b"ISO_IR 192",
        b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe4\xb8\x9c=",
        "Wang^XiaoDong=王^小东=",
    ),
    (b"GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="),
    (b"GBK", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="),
    (
        b"\\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        "Zhang^XiaoDong=张^小东=",
    ),
    (b"ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
    (b"ISO_IR 101", b"Wa\xb3\xeasa", "Wałęsa"),
    (b"ISO_IR 144", b"\xbb\xee\xda\x63\x65\xdc\xd1\x79\x70\xd3", "Люкceмбypг"),
    (b"ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
    (b"ISO_IR 127", b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
    (b"ISO_IR 138", b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
    (b"ISO_IR 166", b"\xb9\xd2\xc1", "นาม"),
    (b"ISO_IR 203", b"\xa4uro^\xbcuvre", "€uro^Œuvre"),
    (b"ISO 2022 IR 6\\ISO 2022 IR 144", b"\x1b-L\xbb\xee\xda", "Люк"),
    (
        b"ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126",
        b"Dionysios is \x1b-F\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2",
        "Dionysios is Διονυσιος",
    ),
]


@pytest.mark.parametrize(("charset", "raw", "name"), STANDARD)
def test_names_of_the_standard_are_read(tmp_path: Path, charset: bytes, raw: bytes, name: str) -> None:
    header = header_of(tmp_path, charset, raw)
    assert header.patient_name == name
    assert not header.lacks_character_set


@pytest.mark.parametrize(
    ("misspelt", "raw", "name"),
    [
        (b"ISO-IR 100", b"J\xf6rg", "Jörg"),
        (b"ISO_IR_101", b"Wa\xb3\xeasa", "Wałęsa"),
        (b"iso ir101", b"Wa\xb3\xeasa", "Wałęsa"),
        (b"ISO 8859-2", b"Wa\xb3\xeasa", "Wałęsa"),
        (b"UTF-8", "Jörg".encode(), "Jörg"),
        (b"ISO 2022 IR 192", "Jörg".encode(), "Jörg"),
        (b"GB 18030", "王".encode("gb18030"), "王"),
        (b"\\ISO-2022-IR-87", b"\x1b$B;3ED\x1b(B", "山田"),
        (b"ISO 2022 IR 87", b"Yamada=\x1b$B;3ED\x1b(B", "Yamada=山田"),
        (b"ISO_IR 192\\ISO 2022 IR 87", "山田".encode(), "山田"),
    ],
)
def test_misspelt_terms_are_understood(tmp_path: Path, misspelt: bytes, raw: bytes, name: str) -> None:
    assert header_of(tmp_path, misspelt, raw).patient_name == name


@pytest.mark.parametrize("charset", [None, b"", b"ISO_IR 6", b"KLINGON", b"rot13", b"hex", b"utf-16"])
def test_undeclared_and_unknown_sets_are_taken_from_the_fallback(tmp_path: Path, charset: bytes | None) -> None:
    raw = "Люксембург".encode("iso8859_5")
    header = header_of(tmp_path, charset, raw, "ISO_IR 144")
    assert header.patient_name == "Люксембург"
    assert header.patient_name_folded == "ЛЮКСЕМБУРГ"
    assert header.lacks_character_set


@pytest.mark.parametrize(
    ("raw", "fallback", "name"),
    [
        ("Jörg".encode(), "", "Jörg"),
        (b"J\xf6rg", "", "Jörg"),
        ("王^小东".encode("gb18030"), "GB18030", "王^小东"),
        ("홍^길동".encode("euc_kr"), "ISO 2022 IR 149", "홍^길동"),
        ("山田".encode("shift_jis"), "ISO_IR 13", "山田"),
        (b"\x1b$B;3ED\x1b(B", "", "山田"),
        (b"Hong=\x1b$)C\xfb\xf3", "", "Hong=洪"),
        ("Jörg".encode(), "ISO_IR 192", "Jörg"),
        (b"J\xf6rg", "ISO_IR 192", "Jörg"),
    ],
)
def test_undeclared_names_are_read_as_well_as_can_be(
    tmp_path: Path, raw: bytes, fallback: str, name: str
) -> None:
    assert header_of(tmp_path, None, raw, fallback).patient_name == name


def test_declared_set_wins_over_the_fallback_and_plain_names_need_none(tmp_path: Path) -> None:
    header = header_of(tmp_path, b"ISO_IR 100", b"J\xf6rg", "ISO_IR 144")
    assert (header.patient_name, header.lacks_character_set) == ("Jörg", False)
    assert not header_of(tmp_path, None, b"Rita^Example", "ISO_IR 144").lacks_character_set


def test_set_that_is_declared_wrongly_gives_way_to_one_that_fits(tmp_path: Path) -> None:
    assert header_of(tmp_path, b"ISO_IR 192", b"M\xfcller^J\xf6rg").patient_name == "Müller^Jörg"


def test_wide_space_stays_a_space(tmp_path: Path) -> None:
    assert header_of(tmp_path, b"ISO_IR 192", "山田\u3000太郎".encode()).patient_name == "山田 太郎"


def test_name_in_ideographs_alone_is_found_by_its_beginning(tmp_path: Path) -> None:
    assert header_of(tmp_path, b"ISO_IR 192", "=山田^太郎".encode()).patient_name_folded == "山田^太郎"


def test_every_fallback_is_a_set_that_can_be_read() -> None:
    for term in FALLBACKS:
        if term:
            (encoding,) = declared_encodings(term.encode())
            assert codecs.lookup(encoding)


CHARSETS = st.one_of(
    st.binary(max_size=40),
    st.lists(
        st.sampled_from([*FALLBACKS, "ISO 2022 IR 87", "ISO 2022 IR 58", "ISO 2022 IR 159", "GBK", "?"]),
        max_size=4,
    ).map(lambda terms: "\\".join(terms).encode()),
)
PIECES = st.lists(
    st.sampled_from([b"\x1b$B", b"\x1b(J", b"\x1b$)C", b"\x1b$)A", b"\x1b-L", b"\x1b", b"^", b"=", b"\\"])
    | st.binary(max_size=8)
)


@settings(max_examples=400, deadline=None)
@given(CHARSETS, PIECES.map(b"".join), st.sampled_from(list(FALLBACKS)))
@example(b"ISO_IR 192", b"\xff\xfe\x00\xd8", "")
@example(b"\\ISO 2022 IR 87", b"\x1b$B\xff", "GB18030")
def test_no_bytes_ever_raise(charset: bytes, raw: bytes, fallback: str) -> None:
    text = printable(text_of(raw, declared_encodings(charset), fallback))
    assert text == text.strip()
    assert text.isprintable()
    text.encode("utf-8")


@settings(max_examples=150, deadline=None)
@given(CHARSETS, PIECES.map(b"".join), PIECES.map(b"".join))
def test_no_bytes_in_a_file_ever_raise_and_they_stay(
    tmp_path_factory: pytest.TempPathFactory, charset: bytes, name: bytes, description: bytes
) -> None:
    header = header_of(tmp_path_factory.getbasetemp(), charset, name, "ISO_IR 144", description)
    assert header.patient_name_folded.isprintable()
    assert "\0" not in header.patient_name + header.series_description
