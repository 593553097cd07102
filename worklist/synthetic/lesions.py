"""What can be wrong with a bone: it is broken, out of its joint, or carries metal."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from worklist.synthetic.shapes import Cut, Point, Tube
from worklist.synthetic.skeleton import FlatJoint, Part, Random, Scene, distance, moved, rotated

Lesion = Literal["break", "dislocation", "implant"]
LESIONS: tuple[Lesion, ...] = ("break", "dislocation", "implant")


@dataclass(frozen=True)
class Injured:
    """A scene after the event, and where to look.

    Parameters
    ----------
    low, high
        Corners (x, y) of the region that shows the lesion, mm in the image.
    """

    scene: Scene
    low: Point
    high: Point


def injure(scene: Scene, lesion: Lesion, random: Random, field_mm: tuple[float, float]) -> Injured:
    """Return the scene with one lesion that lies within the field.

    Parameters
    ----------
    field_mm
        Height and width of what will be visible, centred at 0.
    """
    injured = _EVENTS[lesion](scene, random, field_mm)
    return _at_least(injured, 0.17 * min(field_mm))


def _at_least(injured: Injured, size_mm: float) -> Injured:
    """Widen the region to `size_mm`: a heat map of 7 x 7 cells is no finer than that."""
    low, high = [], []
    for begin, end in zip(injured.low, injured.high, strict=True):
        more = max(0.0, size_mm - (end - begin)) / 2
        low.append(begin - more)
        high.append(end + more)
    return replace(injured, low=(low[0], low[1]), high=(high[0], high[1]))


def _is_inside(point: Point, field_mm: tuple[float, float], share: float = 0.78) -> bool:
    """Say whether a point is well within the field."""
    return abs(point[0]) < share * field_mm[1] / 2 and abs(point[1]) < share * field_mm[0] / 2


def _site(scene: Scene, random: Random, field_mm: tuple[float, float]) -> tuple[Part, float]:
    """Choose a shaft in the field and a fraction along it."""
    found = []
    for part in scene.bones:
        if part.sites is None or part.tube.length_mm < 4 * part.tube.half_width_mm:
            continue
        for at in random.uniform(*part.sites, size=4):
            if _is_inside(part.tube.point(float(at)), field_mm):
                found.append((part, float(at)))
    if not found:
        return min(
            ((part, float(np.mean(part.sites))) for part in scene.bones if part.sites),
            key=lambda site: distance(site[0].tube.point(site[1]), (0.0, 0.0)),
        )
    return found[int(random.integers(len(found)))]


def _break(scene: Scene, random: Random, field_mm: tuple[float, float]) -> Injured:
    """Break a shaft; both ends stay in their joints, the middle gives way."""
    part, at = _site(scene, random, field_mm)
    width = part.tube.width_at(at)
    pieces = _pieces(part, at, width, random)
    bones = [p for p in scene.bones if p is not part]
    middle = part.tube.point(at)
    swelling = _swelling(scene, middle, width, random)
    reach = 1.9 * width + 4.0
    return Injured(
        replace(scene, bones=(*bones, *pieces), flesh=(*scene.flesh, swelling)),
        (middle[0] - reach, middle[1] - reach),
        (middle[0] + reach, middle[1] + reach),
    )


def _pieces(part: Part, at: float, width: float, random: Random) -> list[Part]:
    """Return the fragments of a shaft broken at the fraction `at`."""
    tube, side = part.tube, float(random.choice((-1.0, 1.0)))
    place = at * tube.length_mm
    slope = float(random.choice((0.0, 0.7, 1.6)) + random.uniform(-0.25, 0.25)) * -side
    apex = side * width * random.uniform(0.15, 1.0)
    step = side * width * random.uniform(0.55, 1.3)
    gap = random.uniform(-2.0, 2.0) * min(width / 8, 1.2)
    phase = float(random.uniform(0, 6))
    before = _bent(tube, apex, place, at_start=True)
    behind = _bent(tube, apex + step, tube.length_mm - place, at_start=False)
    behind = _slid(behind, gap + 0.7)
    crushed = width * random.uniform(0.7, 1.2) if random.random() < 0.35 else 0.0
    pieces = [
        _piece(part, before, Cut(place - crushed, _seen(slope, tube, before), -1, width, phase), 0),
        _piece(part, behind, Cut(place + crushed, _seen(slope, tube, behind), 1, width, phase + crushed), 1),
    ]
    if crushed:
        pieces.append(_splinter(part, (before, place, crushed), slope, random))
    return pieces


def _seen(slope: float, whole: Tube, piece: Tube) -> float:
    """Return the slope of the break line on a turned piece, so that both sides still match."""
    ends = [np.subtract(tube.end, tube.start) for tube in (whole, piece)]
    one, other = (float(np.arctan2(y, x)) for x, y in ends)
    cos, sin = np.cos(other - one), np.sin(other - one)
    return float((slope * cos + sin) / max(cos - slope * sin, 0.2))


def _splinter(part: Part, where: tuple[Tube, float, float], slope: float, random: Random) -> Part:
    """Return the loose piece in the middle of a comminuted break."""
    tube, place, half = where
    cuts = (
        Cut(place - half + 0.6, slope, 1, tube.half_width_mm, 1.0),
        Cut(place + half - 0.6, slope + random.uniform(-0.8, 0.8), -1, tube.half_width_mm, 2.0),
    )
    middle = tube.point(place / tube.length_mm)
    aside = random.uniform(-0.5, 0.5) * tube.half_width_mm
    return moved(
        Part(f"{part.name} 2", replace(tube, cuts=cuts)),
        middle,
        float(random.uniform(0.2, 0.5) * random.choice((-1, 1))),
        (aside, random.uniform(-1, 1)),
    )


def _piece(part: Part, tube: Tube, cut: Cut, number: int) -> Part:
    """Return one fragment under a name of its own, so that overlaps add up."""
    return Part(f"{part.name} {number}", replace(tube, cuts=(cut,)))


def _bent(tube: Tube, aside_mm: float, arm_mm: float, at_start: bool) -> Tube:
    """Turn a shaft about one end so that it moves by `aside_mm` at a distance `arm_mm`."""
    angle = float(np.arctan2(aside_mm, arm_mm))
    if at_start:
        return replace(tube, end=rotated(tube.end, tube.start, angle))
    return replace(tube, start=rotated(tube.start, tube.end, -angle))


def _slid(tube: Tube, by_mm: float) -> Tube:
    """Shift a tube along its own axis."""
    shift = by_mm / max(tube.length_mm, 1e-6)
    return replace(tube, start=tube.point(shift), end=tube.point(1 + shift))


def _swelling(scene: Scene, middle: Point, width: float, random: Random) -> Part:
    """Return swollen flesh around a place, a little out of the skin."""
    depths = [_depth_in(part.tube, middle) for part in scene.flesh]
    radius = float(np.clip(max(depths), 1.6 * width, 3.2 * width)) * random.uniform(1.02, 1.2)
    top, bottom = (middle[0], middle[1] - 1.3 * radius), (middle[0], middle[1] + 1.3 * radius)
    return Part("swelling", Tube(top, bottom, radius, "ball", cortex_mm=2.0))


def _depth_in(tube: Tube, point: Point) -> float:
    """Return how deep below its surface a point lies in a tube, mm; 0 outside."""
    length = max(tube.length_mm, 1e-6)
    axis = ((tube.end[0] - tube.start[0]) / length, (tube.end[1] - tube.start[1]) / length)
    x, y = point[0] - tube.start[0], point[1] - tube.start[1]
    place = (x * axis[0] + y * axis[1]) / length
    aside = abs(y * axis[0] - x * axis[1])
    return max(0.0, tube.width_at(place) - aside) if 0 < place < 1 else 0.0


def _dislocation(scene: Scene, random: Random, field_mm: tuple[float, float]) -> Injured:
    """Shift all that lies beyond a joint aside and back over it."""
    nearest = min(scene.joints, key=lambda j: distance(j.centre, (0.0, 0.0)))
    inside = [j for j in scene.joints if _is_inside(j.centre, field_mm)] or [nearest]
    joint = inside[int(random.integers(len(inside)))]
    mine = [part for part in scene.bones if part.name.startswith(joint.moving)]
    shift = _slip(joint, mine, random)
    angle = float(random.uniform(0.06, 0.3) * random.choice((-1, 1)))
    if any(part.tube.length_mm > 150 for part in mine):
        angle /= 2

    def after(part: Part) -> Part:
        return moved(part, joint.centre, angle, shift) if part.name.startswith(joint.moving) else part

    there = (joint.centre[0] + shift[0], joint.centre[1] + shift[1])
    reach = 0.6 * joint.width_mm
    return Injured(
        replace(
            scene,
            bones=tuple(after(part) for part in scene.bones),
            flesh=tuple(after(part) for part in scene.flesh),
        ),
        (min(there[0], joint.centre[0]) - reach, min(there[1], joint.centre[1]) - reach),
        (max(there[0], joint.centre[0]) + reach, max(there[1], joint.centre[1]) + reach),
    )


def _slip(joint: FlatJoint, mine: list[Part], random: Random) -> Point:
    """Return by how many mm the far side of a joint is shifted: aside and back."""
    far = np.mean([part.tube.point(0.5) for part in mine], axis=0)
    away = far - np.asarray(joint.centre)
    away = away / max(distance(far, joint.centre), 1e-6)
    back = joint.width_mm * random.uniform(0.15, 0.5)
    aside = joint.width_mm * random.uniform(0.5, 0.9) * random.choice((-1, 1))
    return (
        float(-back * away[0] - aside * away[1]),
        float(-back * away[1] + aside * away[0]),
    )


def _implant(scene: Scene, random: Random, field_mm: tuple[float, float]) -> Injured:
    """Put metal on, into or through a shaft."""
    part, at = _site(scene, random, field_mm)
    width = part.tube.half_width_mm
    choices: list[Callable[[Tube, float, Random, float], list[Tube]]] = [_plate, _plate, _wires]
    if width > 6:
        choices.append(_nail)
    room = _room(part.tube, at, field_mm)
    metal = choices[int(random.integers(len(choices)))](part.tube, at, random, room)
    ends = np.array([end for tube in metal for end in (tube.start, tube.end)])
    half = np.asarray(field_mm)[::-1] / 2
    low, high = np.maximum(ends.min(0) - 3, -half), np.minimum(ends.max(0) + 3, half)
    return Injured(
        replace(scene, metal=tuple(metal)),
        (float(low[0]), float(low[1])),
        (float(high[0]), float(high[1])),
    )


def _room(tube: Tube, at: float, field_mm: tuple[float, float]) -> float:
    """Return how far metal may reach from a site along the shaft, mm."""
    reach = min(1 - at, at) * tube.length_mm
    step = 2.0
    while step < reach and all(
        _is_inside(tube.point(at + way * step / tube.length_mm), field_mm, 0.95) for way in (-1, 1)
    ):
        step += 2.0
    return max(step, 3.2 * tube.half_width_mm)


def _plate(tube: Tube, at: float, random: Random, room: float) -> list[Tube]:
    """Return a plate with its screws, seen from the front or edge-on."""
    width, length = tube.half_width_mm, tube.length_mm
    half = min(room, width * random.uniform(4.0, 7.0)) / length
    is_edge_on = random.random() < 0.5
    aside = 1.18 * width * random.choice((-1, 1)) if is_edge_on else 0.15 * width
    broad = 0.17 * width if is_edge_on else 0.5 * width
    ends = tube.point(at - half, aside), tube.point(at + half, aside)
    metal = [Tube(*ends, max(broad, 0.9), "block", depth=0.5 if not is_edge_on else 1.6)]
    for place in np.linspace(at - 0.88 * half, at + 0.88 * half, int(random.integers(4, 8))):
        metal += _screw(tube, float(place), aside, is_edge_on)
    return metal


def _screw(tube: Tube, at: float, aside: float, is_edge_on: bool) -> list[Tube]:
    """Return one screw of a plate at the fraction `at` of a shaft."""
    width = tube.half_width_mm
    thick = max(0.14 * width, 0.6)
    if is_edge_on:
        through = -np.sign(aside) * width * 1.05
        return [
            Tube(tube.point(at, aside), tube.point(at, through), thick, "rod", depth=1.5),
            Tube(tube.point(at, aside * 1.25), tube.point(at, aside * 0.9), 2 * thick, "rod", depth=1.0),
        ]
    round_ends = (
        tube.point(at - 2.2 * thick / tube.length_mm, aside),
        tube.point(at + 2.2 * thick / tube.length_mm, aside),
    )
    return [Tube(*round_ends, 2.2 * thick, "ball", depth=1.6)]


def _nail(tube: Tube, at: float, random: Random, room: float) -> list[Tube]:
    """Return a nail in the marrow with locking screws."""
    width, length = tube.half_width_mm, tube.length_mm
    first, last = max(0.04, at - 1.3 * room / length), min(0.95, at + room / length)
    metal = [Tube(tube.point(first), tube.point(last), 0.42 * width, "rod", depth=1.0, bend_mm=tube.bend_mm)]
    for place in (first + 0.06, last - 0.05, last - 0.1):
        slant = random.uniform(-4, 4) / length
        ends = tube.point(place - slant, -1.2 * width), tube.point(place + slant, 1.2 * width)
        metal.append(Tube(*ends, max(0.15 * width, 0.7), "rod", depth=1.5))
    return metal


def _wires(tube: Tube, at: float, random: Random, room: float) -> list[Tube]:
    """Return two or three wires that cross in the bone and stick out of it."""
    width, length = tube.half_width_mm, tube.length_mm
    metal = []
    thick = max(0.13 * width, 0.65)
    reach = min(room, width * random.uniform(3.5, 5.5)) / length
    for number in range(int(random.integers(2, 4))):
        side = (-1) ** number * random.uniform(0.7, 1.0)
        inner = tube.point(at - reach, -0.7 * side * width)
        outer = tube.point(at + reach, 1.7 * side * width)
        metal.append(Tube(inner, outer, thick, "rod", depth=1.6))
        hook = tube.point(at + reach - 0.4 * width / length, 2.3 * side * width)
        metal.append(Tube(outer, hook, thick, "rod", depth=1.6))
    return metal


_EVENTS: dict[Lesion, Callable[[Scene, Random, tuple[float, float]], Injured]] = {
    "break": _break,
    "dislocation": _dislocation,
    "implant": _implant,
}
