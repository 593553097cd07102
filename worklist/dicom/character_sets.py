"""Bytes of a text element → text, whatever Specific Character Set (0008,0005) says, or does not say.

Nothing here raises and nothing here changes the file: what is shown may be wrong, the bytes are kept.

References
----------
PS3.3 C.12.1.1.2 (defined terms), PS3.5 6.1.2 (code extensions), PS3.5 Annexes H, I, J and K (examples).
"""

import re
import unicodedata

from pydicom.charset import STAND_ALONE_ENCODINGS, decode_bytes, python_encoding

ESCAPE = b"\x1b"
DELIMITERS = {0x5C, 0x5E, 0x3D}
# ISO 2022: an escape, intermediate bytes, a final one. Python's decoder of GB 2312 leaves them in its text.
DESIGNATOR = re.compile("\x1b[\x20-\x2f]+[\x30-\x7e]")
ASCII_TERMS = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})

# Latin-9 was added to the Standard after the table of pydicom was made.
ENCODINGS: dict[str, str] = {
    **python_encoding,
    "ISO_IR 203": "iso8859_15",
    "ISO 2022 IR 203": "iso8859_15",
}
OTHER_SPELLINGS = {
    "UTF8": "ISO_IR 192",
    "ISO2022IR192": "ISO_IR 192",
    "LATIN1": "ISO_IR 100",
    "ISO88591": "ISO_IR 100",
    "ISO88592": "ISO_IR 101",
    "ISO88595": "ISO_IR 144",
    "ISO88597": "ISO_IR 126",
    "ISO885915": "ISO_IR 203",
    "GB2312": "GBK",
}
# A text that names no character set but has escapes may use any of those that have one.
ALL_WITH_ESCAPES = [
    "latin_1",
    "iso2022_jp",
    "iso2022_jp_2",
    "shift_jis",
    "euc_kr",
    "iso_ir_58",
    *(ENCODINGS[f"ISO 2022 IR {number}"] for number in (101, 109, 110, 126, 127, 138, 144, 148, 166)),
]

FALLBACKS: dict[str, str] = {
    "": "UTF-8, else Western European",
    "ISO_IR 100": "Western European (ISO_IR 100)",
    "ISO_IR 203": "Western European with euro sign (ISO_IR 203)",
    "ISO_IR 101": "Central European (ISO_IR 101)",
    "ISO_IR 109": "South European (ISO_IR 109)",
    "ISO_IR 110": "North European (ISO_IR 110)",
    "ISO_IR 148": "Turkish (ISO_IR 148)",
    "ISO_IR 126": "Greek (ISO_IR 126)",
    "ISO_IR 144": "Cyrillic (ISO_IR 144)",
    "ISO_IR 138": "Hebrew (ISO_IR 138)",
    "ISO_IR 127": "Arabic (ISO_IR 127)",
    "ISO_IR 166": "Thai (ISO_IR 166)",
    "ISO_IR 13": "Japanese (ISO_IR 13)",
    "ISO 2022 IR 149": "Korean (ISO 2022 IR 149)",
    "GB18030": "Chinese (GB18030)",
    "ISO_IR 192": "UTF-8 (ISO_IR 192)",
}
"""What may be assumed of a source that names no character set, in words."""


def declared_encodings(declared: bytes) -> list[str]:
    """Return the Python encodings of Specific Character Set (0008,0005), misspelt terms put right.

    Returns
    -------
    list of str
        The first is the one without escapes; empty if no character set beyond ASCII is named, or only unknown
        ones.
    """
    terms = [_term(name) for name in declared.decode("ascii", "replace").rstrip("\0 ").split("\\")]
    if not terms or terms[0] is None or all(term in ASCII_TERMS for term in terms):
        return []
    if terms[0] in STAND_ALONE_ENCODINGS:
        return [ENCODINGS[terms[0]]]
    return [ENCODINGS[term] for term in terms if term is not None and term not in STAND_ALONE_ENCODINGS]


def is_plain(raw: bytes) -> bool:
    """Say if a text is the same in every character set: ASCII without escapes."""
    return raw.isascii() and ESCAPE not in raw


def text_of(raw: bytes, declared: list[str], fallback: str = "") -> str:
    """Decode a text element.

    Parameters
    ----------
    declared
        What `declared_encodings` found.
    fallback
        A term of `FALLBACKS` for a text whose character set is not declared, or not the declared one.
    """
    if is_plain(raw):
        return raw.decode("ascii")
    assumed = [ENCODINGS[fallback]] if fallback in ENCODINGS and fallback else []
    if ESCAPE in raw:
        return _with_escapes(raw, declared or [*assumed, *ALL_WITH_ESCAPES])
    for encoding in (*declared[:1], *assumed, "utf-8"):
        try:
            return raw.decode(encoding)
        except UnicodeError:
            continue
    return raw.decode("latin-1")


def printable(text: str) -> str:
    """Drop NUL, line breaks, escapes and lone surrogates, which no database column takes; keep wide spaces."""
    return "".join(_shown(letter) for letter in DESIGNATOR.sub("", text)).strip()


def _with_escapes(raw: bytes, encodings: list[str]) -> str:
    try:
        text: str = decode_bytes(raw, encodings, DELIMITERS)
    except (LookupError, ValueError):
        return raw.decode("latin-1")
    return text


def _term(name: str) -> str | None:
    """Return the defined term that is meant, ``ISO_IR 100`` for ``ISO-IR_100``; None if it is none."""
    return _BY_LETTERS.get(_letters(name))


def _letters(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name.upper())


_BY_LETTERS: dict[str, str] = {**{_letters(term): term for term in ENCODINGS}, **OTHER_SPELLINGS}


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if unicodedata.category(letter) == "Zs" else ""
