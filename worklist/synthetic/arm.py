"""Skeletons of forearm, elbow, humerus and shoulder of the left arm, from the front.

Lengths are those of an adult in mm; the body lies to the right of the arm.
"""

from dataclasses import replace

from worklist.synthetic.hand import forearm_ends, hand
from worklist.synthetic.skeleton import Bone, Joint, Place, Random, Skeleton, only, vary

_LENGTH_MM = 242.0  # of the radius, see `hand.forearm_ends`


def forearm(random: Random) -> Skeleton:
    """Return the forearm from the elbow to the carpus, hand up."""
    whole = hand(random)
    bones = tuple(
        replace(bone, sites=(0.25, 0.8) if bone.name in ("radius", "ulna") else None) for bone in whole.bones
    )
    top = bones[0].start[1]
    return Skeleton(
        (*bones, *_upper_arm(random, top)),
        (*whole.flesh, _upper_flesh(top)),
        (
            Joint(
                (8.0, top, 0.0),
                30.0,
                ("humerus", "upper arm"),
            ),
        ),
        centre=(3.0, top * 0.56, 0.0),
        field_mm=(312.0, 150.0),
    )


def elbow(random: Random) -> Skeleton:
    """Return the elbow, the forearm up and the upper arm down."""
    bones = [
        replace(bone, sites=(0.08, 0.3) if bone.name == "radius" else (0.15, 0.35))
        for bone in forearm_ends(random)
    ]
    top = bones[0].start[1]
    flesh = Bone("forearm", (10.0, top + 34, 2.0), (1.0, -12.0, 1.0), (36.0, 30.0), "forearm")
    joint = Joint((10.0, top, 0.0), 34.0, ("radius", "ulna", "forearm"))
    return Skeleton(
        (*bones, *_upper_arm(random, top)),
        (flesh, _upper_flesh(top)),
        (joint,),
        centre=(10.0, top, 0.0),
        field_mm=(190.0, 140.0),
        hinge=joint.centre,
        bending=("humerus", "upper arm"),
    )


def humerus(random: Random) -> Skeleton:
    """Return the upper arm with both joints, shoulder up."""
    upper = shoulder(random)
    bones = tuple(
        replace(bone, sites=(0.25, 0.8)) if bone.name == "humerus" and bone.sites else bone
        for bone in upper.bones
    )
    end = only(bones, "humerus")[0].end
    below = [
        Bone("radius", (-9.0, end[1] + 3, 0.0), (-14.0, end[1] + 240, -2.0), (6.8, 6.2), "radius", 2.4),
        Bone("ulna", (8.0, end[1] - 12, 6.0), (2.0, end[1] + 245, 4.0), (6.2, 6.2), "ulna", 2.3),
    ]
    flesh = Bone("forearm", (-2.0, end[1] - 20, 2.0), (-6.0, end[1] + 240, 1.0), (37.0, 33.0), "forearm")
    return Skeleton(
        (*bones, *below),
        (*upper.flesh, flesh),
        upper.joints,
        centre=(4.0, 122.0, 0.0),
        field_mm=(400.0, 220.0),
    )


def shoulder(random: Random) -> Skeleton:
    """Return the shoulder: humerus, scapula, clavicle and the upper ribs."""
    length = vary(random, 312.0, 0.04)
    head = vary(random, 23.5, 0.04)
    return Skeleton(
        (*_shoulder_arm(random, length, head), *_girdle(random, head)),
        (
            Bone("arm flesh", (-10.0, -14.0, 0.0), (-4.0, length + 10, 0.0), (39.0, 40.0), "upper arm"),
            Bone("cap", (34.0, -46.0, 0.0), (-14.0, 50.0, 0.0), (44.0, 38.0), "limb"),
            Bone("chest", (62.0, -62.0, 0.0), (100.0, 480.0, 0.0), (60.0, 70.0), "limb", depth=0.75),
            Bone("neck", (40.0, -48.0, 0.0), (140.0, -96.0, 0.0), (34.0, 40.0), "limb"),
        ),
        (Joint((22.0, 2.0, 0.0), 1.7 * head, ("humerus", "arm flesh", "radius", "ulna", "forearm")),),
        centre=(26.0, 30.0, 0.0),
        field_mm=(236.0, 200.0),
    )


def _shoulder_arm(random: Random, length: float, head: float) -> list[Bone]:
    """Return the humerus with its head and condyles, shoulder at the origin."""
    wide = vary(random, 11.5)
    return [
        Bone(
            "humerus",
            (-7.0, -18.0, 0.0),
            (0.0, length, 0.0),
            (wide, wide),
            "humerus",
            cortex_mm=4.2,
            sites=(0.14, 0.4),
        ),
        Bone("humerus", (-8.0, 14.0, 0.0), (8.0, -18.0, 0.0), (head, head), "ball", cortex_mm=1.3),
    ]


def _girdle(random: Random, head: float) -> list[Bone]:
    """Return scapula, clavicle and ribs."""
    socket: Place = (head + 6.0, -24.0, 2.0)
    below: Place = (head + 7.0, 16.0, 4.0)
    return [
        Bone("scapula", (40.0, -30.0, 18.0), (60.0, 120.0, 26.0), (36.0, 8.0), "blade", 1.2, depth=0.55),
        Bone("scapula", socket, below, (5.5, 13.0), "egg", cortex_mm=1.4),
        Bone("scapula border", below, (56.0, 116.0, 24.0), (5.0, 6.0), "ridge", cortex_mm=1.6, depth=0.8),
        Bone("spine", (80.0, -22.0, 24.0), (-4.0, -42.0, 14.0), (6.0, 10.0), "ridge", 1.0, depth=0.8),
        Bone("acromion", (14.0, -42.0, 10.0), (-16.0, -35.0, 4.0), (6.0, 13.0), "block", 1.3),
        Bone("coracoid", (42.0, -30.0, -4.0), (22.0, -20.0, -24.0), (7.0, 7.0), "egg", 1.5),
        Bone(
            "clavicle",
            (126.0, -34.0 + random.normal(0, 4), -14.0),
            (14.0, -47.0, -2.0),
            (vary(random, 6.4), 6.0),
            "clavicle",
            cortex_mm=2.0,
            sites=(0.35, 0.75),
        ),
        *(_rib(number, random) for number in range(9)),
    ]


def _rib(number: int, random: Random) -> Bone:
    """Return one of the upper ribs, behind the scapula."""
    y = -28.0 + 27.0 * number + random.normal(0, 2)
    start = 60.0 + 18.0 / (number + 1) + 2.0 * number
    return Bone(
        f"rib{number}",
        (142.0, y - 22.0, 40.0),
        (start, y + 26.0, 20.0),
        (5.4, 4.0),
        "rib",
        cortex_mm=1.0,
        depth=0.9,
        bend_mm=-17.0,
    )


def _upper_arm(random: Random, top: float) -> list[Bone]:
    """Return the lower end of the humerus for an elbow at y = `top`, arm pointing down."""
    wide = vary(random, 10.5)
    low: Place = (12.0, top - 3.0, 0.0)
    return [
        Bone(
            "humerus",
            (16.0, top + 300.0, 2.0),
            low,
            (wide, wide * 0.75),
            "humerus",
            cortex_mm=3.6,
            sites=(0.72, 0.9),
        ),
        Bone("humerus", (-6.0, top - 4.0, -6.0), (6.0, top - 9.0, -6.0), (9.5, 10.5), "egg", 1.0),
        Bone("humerus", (12.0, top - 6.0, -4.0), (28.0, top - 6.0, -4.0), (9.5, 10.5), "block", 1.0),
    ]


def _upper_flesh(top: float) -> Bone:
    """Return the flesh of the upper arm below an elbow at y = `top`."""
    return Bone("upper arm", (15.0, top + 300.0, 0.0), (10.0, top - 34.0, 0.0), (42.0, 40.0), "upper arm")
