"""Bones in space, seen from any side, and the places where something can happen to them."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from worklist.synthetic.shapes import Point, Tube

Place = tuple[float, float, float]
Random = np.random.Generator


@dataclass(frozen=True)
class Bone:
    """One bone or a part of one, lengths in mm, in the standard front view.

    Parameters
    ----------
    name
        Parts of one bone share a name; where they overlap the thicker one counts.
    start, end
        Ends of the axis (x, y, z); z points away from the viewer.
    half_width_mm
        Half the width of the shaft (x, z).
    sites
        Range of the axis (fractions) where the shaft can break or carry metal.
    """

    name: str
    start: Place
    end: Place
    half_width_mm: tuple[float, float]
    outline: str
    cortex_mm: float = 1.2
    depth: float = 1.0
    bend_mm: float = 0.0
    lean: float = 1.0
    sites: tuple[float, float] | None = None


@dataclass(frozen=True)
class Joint:
    """A joint that can come apart.

    Parameters
    ----------
    centre
        Middle of the joint gap (x, y, z) in mm.
    width_mm
        Width of the joint surfaces, the unit of the shift.
    moving
        Beginnings of the names of all parts on the far side.
    """

    centre: Place
    width_mm: float
    moving: tuple[str, ...]


@dataclass(frozen=True)
class Skeleton:
    """Bones, soft tissue and joints of one body part of one person, in mm.

    Parameters
    ----------
    hinge, bending
        The joint that is bent in a side view, and the names of the parts that bend.
    """

    bones: tuple[Bone, ...]
    flesh: tuple[Bone, ...]
    joints: tuple[Joint, ...] = ()
    centre: Place = (0.0, 0.0, 0.0)
    field_mm: tuple[float, float] = (240.0, 190.0)
    hinge: Place | None = None
    bending: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """A tube of the view with the name of the bone it belongs to."""

    name: str
    tube: Tube
    sites: tuple[float, float] | None = None


@dataclass(frozen=True)
class FlatJoint:
    """A joint in the plane of the view, mm."""

    centre: Point
    width_mm: float
    moving: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """All that one view shows, in the plane of the image, mm."""

    bones: tuple[Part, ...]
    flesh: tuple[Part, ...]
    joints: tuple[FlatJoint, ...]
    metal: tuple[Tube, ...] = field(default=())


@dataclass(frozen=True)
class Viewpoint:
    """From where a skeleton is seen.

    Parameters
    ----------
    turn
        Rotation about the long axis in radians: 0 front, pi/2 side.
    tilt
        Rotation in the plane of the image in radians.
    scale
        Size of the person relative to the drawing.
    mirror
        -1 for the other side of the body.
    shift_mm
        Where the centre of the skeleton lies in the image (x, y).
    """

    turn: float
    tilt: float
    scale: float
    mirror: int
    shift_mm: Point

    def flatten(self, place: Place, centre: Place) -> Point:
        """Return where a place in space is seen, mm in the image."""
        x, y, z = (self.scale * (a - b) for a, b in zip(place, centre, strict=True))
        x = self.mirror * (x * np.cos(self.turn) + z * np.sin(self.turn))
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        return (
            float(x * cos - y * sin + self.shift_mm[0]),
            float(x * sin + y * cos + self.shift_mm[1]),
        )

    def part(self, bone: Bone, centre: Place) -> Part:
        """Return the tube that a bone is in this view."""
        broad, deep = bone.half_width_mm
        cos, sin = abs(np.cos(self.turn)), abs(np.sin(self.turn))
        seen = float(np.hypot(broad * cos, deep * sin))
        through = float(np.hypot(broad * sin, deep * cos))
        start, end = self.flatten(bone.start, centre), self.flatten(bone.end, centre)
        if np.hypot(end[0] - start[0], end[1] - start[1]) < 1.6 * seen * self.scale:
            start, end = _stretched(start, end, 1.9 * seen * self.scale)
        tube = Tube(
            start,
            end,
            seen * self.scale,
            bone.outline,
            cortex_mm=bone.cortex_mm * self.scale,
            depth=bone.depth * through / seen,
            bend_mm=bone.bend_mm * self.scale * self.mirror,
            lean=bone.lean * self.mirror * (1.0 if cos > 0.5 else 0.4),
        )
        return Part(bone.name, tube, bone.sites)

    def _bent(self, part: Part, skeleton: Skeleton) -> Part:
        """Bend the hinge of a skeleton that is seen from the side."""
        if skeleton.hinge is None or abs(np.sin(self.turn)) < 0.8:
            return part
        if not part.name.startswith(skeleton.bending):
            return part
        hinge = self.flatten(skeleton.hinge, skeleton.centre)
        return moved(part, hinge, 1.35 * self.mirror, (0.0, 0.0))

    def scene(self, skeleton: Skeleton) -> Scene:
        """Return everything as seen from here."""
        return Scene(
            tuple(self._bent(self.part(bone, skeleton.centre), skeleton) for bone in skeleton.bones),
            tuple(self._bent(self.part(bone, skeleton.centre), skeleton) for bone in skeleton.flesh),
            tuple(
                FlatJoint(
                    self.flatten(joint.centre, skeleton.centre),
                    joint.width_mm * self.scale,
                    joint.moving,
                )
                for joint in skeleton.joints
            ),
        )


def _stretched(start: Point, end: Point, length: float) -> tuple[Point, Point]:
    """Give an axis seen end-on a length, so that the bone does not vanish."""
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    return (x, y - length / 2), (x, y + length / 2)


def moved(part: Part, about: Point, angle: float, shift: Point) -> Part:
    """Turn a part by `angle` radians about a point and shift it by mm."""
    tube = part.tube
    ends = (rotated(end, about, angle, shift) for end in (tube.start, tube.end))
    return replace(part, tube=replace(tube, start=next(ends), end=next(ends)))


def rotated(point: Point, about: Point, angle: float, shift: Point = (0.0, 0.0)) -> Point:
    """Return a point turned by `angle` radians about another and shifted by mm."""
    x, y = point[0] - about[0], point[1] - about[1]
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    return (about[0] + x * cos - y * sin + shift[0], about[1] + x * sin + y * cos + shift[1])


def along(start: Place, degrees: float, length: float, lift: float = 0.0) -> Place:
    """Return the end of a bone: `degrees` from straight up, to the right positive.

    `lift` (degrees) raises it towards the viewer.
    """
    angle, raised = np.radians(degrees), np.radians(lift)
    flat = length * np.cos(raised)
    return (
        float(start[0] + flat * np.sin(angle)),
        float(start[1] - flat * np.cos(angle)),
        float(start[2] - length * np.sin(raised)),
    )


def vary(random: Random, value: float, by: float = 0.06) -> float:
    """Return a length that differs from person to person by about `by`."""
    return float(value * (1 + by * np.clip(random.standard_normal(), -2, 2)))


def only(parts: Iterable[Bone], *names: str) -> tuple[Bone, ...]:
    """Return the parts whose names begin with one of `names`."""
    return tuple(part for part in parts if part.name.startswith(names))


def distance(one: NDArray[np.float64] | Point, other: NDArray[np.float64] | Point) -> float:
    """Return the distance of two points in mm."""
    return float(np.hypot(one[0] - other[0], one[1] - other[1]))
