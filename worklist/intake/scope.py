"""May the classifier judge this image, and as which body part? Pure; what is not said is never guessed.

The body part is looked for in this order: Body Part Examined (0018,0015); Anatomic Region Sequence
(0008,2218); series, study and protocol descriptions; the default of the source. The first that names exactly
one part decides; one that names several, or a part beside one of the seven, ends the search without one.
"""

import re
from dataclasses import dataclass

from worklist.dicom.header import InstanceHeader, folded
from worklist.intake.vocabulary import CODES, ELSEWHERE, PHRASES, TERMS
from worklist.tables import BodyPart, Scope

MODALITIES = ("CR", "DX", "RG", "RF")

# PS3.4 B.5: the classes of single projection radiographs.
RADIOGRAPHS = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography Image
        "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray Image - For Presentation
        "1.2.840.10008.5.1.4.1.1.12.2",  # X-Ray Radiofluoroscopic Image
    }
)
FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
OTHER_KINDS = (
    ("1.2.840.10008.5.1.4.1.1.7", "a Secondary Capture"),
    ("1.2.840.10008.5.1.4.1.1.11", "a presentation state"),
    ("1.2.840.10008.5.1.4.1.1.88", "a structured report or key object selection"),
    ("1.2.840.10008.5.1.4.1.1.104", "an encapsulated document"),
    ("1.2.840.10008.5.1.4.1.1.66", "a segmentation, registration or raw data object"),
    ("1.2.840.10008.5.1.4.1.1.67", "a real world value mapping"),
    ("1.2.840.10008.5.1.4.1.1.9", "a waveform"),
)


@dataclass(frozen=True)
class Judgement:
    """What may be done with one instance.

    Attributes
    ----------
    reason : str
        Why it is not analysed, in words; empty if it is.
    """

    scope: Scope
    body_part: BodyPart | None = None
    reason: str = ""


def judge(header: InstanceHeader, default_body_part: BodyPart | None = None) -> Judgement:
    """Decide whether an instance is analysed, and as which body part."""
    reason = _wrong_kind(header)
    if reason:
        return Judgement(Scope.OUT, reason=f"Cannot be analysed: {reason}")
    return _body_part(header, default_body_part)


def is_image(header: InstanceHeader) -> bool:
    """Say if there are pixels to show."""
    return bool(header.rows and header.columns)


def _wrong_kind(header: InstanceHeader) -> str:
    """Return why an object of this kind is not analysed, or nothing if it is a single radiograph."""
    if header.sop_class_uid == FOR_PROCESSING:
        return "an image 'for processing' is not meant to be looked at."
    if header.sop_class_uid not in RADIOGRAPHS:
        return f"{_kind(header.sop_class_uid)} is not a radiograph."
    if not is_image(header):
        return "it has no rows and columns."
    if header.modality not in MODALITIES:
        return f"modality {header.modality or '(none)'} is not one of {', '.join(MODALITIES)}."
    if (header.number_of_frames or 1) > 1:
        return f"it has {header.number_of_frames} frames, and the classifier judges single radiographs."
    return ""


def _kind(sop_class_uid: str) -> str:
    for prefix, name in OTHER_KINDS:
        if sop_class_uid == prefix or sop_class_uid.startswith(f"{prefix}."):
            return name
    return f"SOP class {sop_class_uid}"


def _body_part(header: InstanceHeader, default: BodyPart | None) -> Judgement:
    for name, text in _sources(header):
        parts, elsewhere = _named(text)
        if len(parts) == 1 and not elsewhere:
            return Judgement(Scope.IN, parts.pop())
        if parts:
            both = ", ".join(sorted({part.value for part in parts} | elsewhere))
            return Judgement(Scope.UNKNOWN, reason=f"{name} names several body parts: {both}.")
        if elsewhere:
            return Judgement(Scope.OUT, reason=f"{_listed(elsewhere)} is out of scope ({name}).")
    if default is not None and not header.body_part_examined:
        return Judgement(Scope.IN, default)
    return _unnamed(header)


def _sources(header: InstanceHeader) -> list[tuple[str, str]]:
    region = CODES.get(header.anatomic_region)
    return [
        ("Body Part Examined", header.body_part_examined),
        ("Anatomic Region Sequence", region.value if region else ""),
        ("Series Description", header.series_description),
        ("Study Description", header.study_description),
        ("Protocol Name", header.protocol_name),
    ]


def _named(text: str) -> tuple[set[BodyPart], set[str]]:
    """Return which of the seven, and which other body parts a text names."""
    spaced = " ".join(re.findall(r"[A-Z]+", folded(text)))
    for phrase, word in PHRASES.items():
        spaced = re.sub(rf"\b{phrase}\b", word, spaced)
    words = set(spaced.split())
    return {part for part, terms in TERMS.items() if words & terms}, words & ELSEWHERE


def _listed(words: set[str]) -> str:
    return " and ".join(word.capitalize() for word in sorted(words))


def _unnamed(header: InstanceHeader) -> Judgement:
    seven = ", ".join(part.value for part in BodyPart)
    if header.body_part_examined:
        return Judgement(
            Scope.OUT, reason=f"Body part {header.body_part_examined} is not one of the seven: {seven}."
        )
    return Judgement(
        Scope.UNKNOWN, reason=f"No body part is named; the classifier must know which of {seven} it sees."
    )
