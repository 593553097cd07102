"""What a reader says of a study: opinion, main finding, whether the heat map points there, a note."""

from collections.abc import Mapping
from dataclasses import dataclass

from worklist.errors import Invalid
from worklist.tables import BodyPart, Finding, HeatMapPlace, MarkKind, Opinion

LONGEST_NOTE = 4000
MOST_MARKS = 50
# A classifier cannot be taught by less (workers.crop.SMALLEST_SIDE_PX).
SMALLEST_CROP_PX = 32

_LIMB = (
    Finding.FRACTURE,
    Finding.DISLOCATION,
    Finding.DEGENERATIVE,
    Finding.HARDWARE,
    Finding.LESION,
    Finding.OTHER,
)
_HAND = (*_LIMB[:3], Finding.FOREIGN_BODY, Finding.HARDWARE, Finding.OTHER)
# Six each: they have the keys 4 to 9 of the study page, in this order.
FINDINGS: Mapping[BodyPart, tuple[Finding, ...]] = {
    BodyPart.ELBOW: (Finding.FRACTURE, Finding.DISLOCATION, Finding.EFFUSION, *_LIMB[2:4], Finding.OTHER),
    BodyPart.FINGER: _HAND,
    BodyPart.FOREARM: _LIMB,
    BodyPart.HAND: _HAND,
    BodyPart.HUMERUS: _LIMB,
    BodyPart.SHOULDER: (*_LIMB[:3], Finding.CALCIFICATION, Finding.HARDWARE, Finding.OTHER),
    BodyPart.WRIST: _LIMB,
}


@dataclass(frozen=True)
class DrawnMark:
    """A point or box on a finding, or the crop as it should be, in whole pixels of the stored image."""

    instance_id: int
    kind: MarkKind
    left: int
    top: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if min(self.left, self.top) < 0 or min(self.width, self.height) < 1:
            raise Invalid("A mark begins inside its image and has at least one pixel.")
        if self.kind is MarkKind.CROP and min(self.width, self.height) < SMALLEST_CROP_PX:
            raise Invalid(
                f"A crop has at least {SMALLEST_CROP_PX} pixels to each side; this one has {self.width} × "
                f"{self.height}. Draw it larger, or take it away with Del."
            )

    @property
    def attributes(self) -> dict[str, object]:
        """The mark as the viewer knows it."""
        return {"instance": self.instance_id, **{name: vars(self)[name] for name in _OF_VIEWER}}

    def check(self, sizes: Mapping[int, tuple[int, int]]) -> None:
        """Raise `Invalid` if it is not inside an image of the study; sizes are (rows, columns) by instance."""
        rows, columns = sizes.get(self.instance_id, (0, 0))
        if self.top + self.height > rows or self.left + self.width > columns:
            raise Invalid("A mark lies outside of the images of this study: take it away, or reload the page.")


_OF_VIEWER = ("kind", "left", "top", "width", "height")


@dataclass(frozen=True)
class Judgement:
    """A reader's judgement of a study.

    Parameters
    ----------
    finding
        The main one; None: the reader names none.
    heat_map
        Whether the heat map points to the right place; None: the reader does not say.
    note
        At most `LONGEST_NOTE` characters.
    marks
        At most `MOST_MARKS`.

    Raises
    ------
    Invalid
        If the note is too long, or a finding goes with *normal*.
    """

    opinion: Opinion
    finding: Finding | None = None
    heat_map: HeatMapPlace | None = None
    note: str = ""
    marks: tuple[DrawnMark, ...] = ()

    def __post_init__(self) -> None:
        if len(self.note) > LONGEST_NOTE:
            raise Invalid(f"The note has {len(self.note)} characters; {LONGEST_NOTE} is the most.")
        if len(self.marks) > MOST_MARKS:
            raise Invalid(f"There are {len(self.marks)} marks; {MOST_MARKS} is the most.")
        if self.finding is not None and self.opinion is Opinion.NORMAL:
            raise Invalid(
                f"A normal study has no finding: take {words(self.finding)!r} away, or choose abnormal."
            )

    def check(self, body_part: BodyPart | None) -> None:
        """Raise `Invalid` if the finding is none that the page offers for this body part."""
        if self.finding is not None and self.finding not in findings(body_part):
            part = body_part.lower() if body_part else "a study of an unknown body part"
            offered = ", ".join(words(one) for one in findings(body_part))
            raise Invalid(f"{words(self.finding)!r} is no finding of {part}; choose one of {offered}.")


def findings(body_part: BodyPart | None) -> tuple[Finding, ...]:
    """Return the findings that are offered for a body part, in the order of their keys."""
    return FINDINGS[body_part] if body_part else (Finding.FRACTURE, Finding.OTHER)


def words(finding: Finding) -> str:
    """Return a finding as people say it."""
    return finding.value.replace("_", " ")
