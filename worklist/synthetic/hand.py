"""Skeletons of hand, finger and wrist: fingers up, palm away from the viewer, left hand.

The origin is the middle of the wrist joint. Lengths are those of an adult in mm.
"""

from dataclasses import replace

from worklist.synthetic.skeleton import Bone, Joint, Place, Random, Skeleton, along, vary

# Per finger, thumb first: base of the metacarpal (x, y), its direction in degrees,
# lengths of metacarpal and phalanges, half-width of the metacarpal shaft.
_RAYS = (
    ((-19.0, -23.0), -44.0, (45.0, 31.0, 22.0), 5.4),
    ((-13.0, -32.0), -11.0, (66.0, 40.0, 23.0, 17.0), 4.4),
    ((-3.5, -34.0), -2.0, (63.0, 44.0, 28.0, 18.0), 4.4),
    ((5.5, -32.0), 6.0, (56.0, 41.0, 26.0, 18.0), 3.9),
    ((13.5, -28.0), 15.0, (52.0, 33.0, 19.0, 16.0), 3.9),
)

# Name, middle (x, y, z), direction in degrees, length, half-width.
_CARPALS = (
    ("scaphoid", (-12.0, -9.0, -2.0), -38.0, 25.0, 6.2),
    ("lunate", (0.0, -7.5, 0.0), 10.0, 14.0, 7.4),
    ("triquetrum", (11.5, -10.0, 2.0), -30.0, 16.0, 6.0),
    ("pisiform", (13.5, -11.0, -10.0), 0.0, 11.0, 4.6),
    ("trapezium", (-18.5, -20.0, -4.0), -30.0, 15.0, 6.6),
    ("trapezoid", (-9.5, -25.0, 0.0), -5.0, 13.0, 5.2),
    ("capitate", (-1.5, -22.0, 0.0), 0.0, 25.0, 6.6),
    ("hamate", (9.0, -21.5, 0.0), 12.0, 20.0, 6.8),
)


def hand(random: Random) -> Skeleton:
    """Return a whole hand with the ends of the forearm."""
    bones = [*forearm_ends(random), *_carpals(random)]
    flesh = [*_palm(), *_wrist_flesh()]
    joints = []
    for number in range(5):
        ray, tissue, joint = _finger(random, number)
        bones += ray
        flesh += tissue
        joints.append(joint)
    return Skeleton(
        tuple(bones), tuple(flesh), tuple(joints), centre=(-6.0, -72.0, 0.0), field_mm=(232.0, 186.0)
    )


def wrist(random: Random) -> Skeleton:
    """Return a wrist: the same hand, seen closer, that can slip off the forearm."""
    whole = hand(random)
    moving = tuple({bone.name for bone in whole.bones} - {"radius", "ulna"})
    joint = Joint((-4.0, -1.0, 0.0), 26.0, (*moving, "palm", "finger"))
    bones = tuple(
        replace(bone, sites=None) if bone.name[-1] in "234" or bone.name == "metacarpal0" else bone
        for bone in whole.bones
    )
    return replace(whole, bones=bones, joints=(joint,), centre=(-2.0, 4.0, 0.0), field_mm=(150.0, 120.0))


def finger(random: Random) -> Skeleton:
    """Return one of the four long fingers alone."""
    number = int(random.integers(1, 5))
    bones, flesh, joint = _finger(random, number)
    root = bones[1].start
    middle = bones[1].end
    stump = Bone("stump", along(root, _RAYS[number][1], -38.0), root, (11.5, 12.0), "limb")
    return Skeleton(
        tuple(bones),
        (*flesh, stump),
        (joint,),
        centre=(middle[0], middle[1] - 8.0, middle[2]),
        field_mm=(118.0, 84.0),
    )


def forearm_ends(random: Random) -> list[Bone]:
    """Return radius and ulna from the elbow to the wrist at the origin."""
    length = vary(random, 242.0, 0.04)
    variance = vary(random, 1.0, 0.8)
    return [
        Bone(
            "radius",
            (2.0, length, 0.0),
            (-8.0, -1.5, 0.0),
            (vary(random, 6.8), vary(random, 6.2)),
            "radius",
            cortex_mm=2.4,
            bend_mm=-5.0,
            sites=(0.8, 0.93),
        ),
        Bone(
            "ulna",
            (22.0, length + 18.0, 4.0),
            (14.5, -1.0 + variance, 3.0),
            (vary(random, 6.2), vary(random, 6.2)),
            "ulna",
            cortex_mm=2.3,
            sites=(0.8, 0.93),
        ),
    ]


def _carpals(random: Random) -> list[Bone]:
    """Return the eight bones of the wrist."""
    bones = []
    for name, (x, y, z), degrees, length, half_width in _CARPALS:
        long, wide = vary(random, length, 0.04), vary(random, half_width, 0.04)
        middle = (x + random.normal(0, 0.4), y + random.normal(0, 0.4), z)
        start = along(middle, degrees, -long / 2)
        shape = "block" if name in ("capitate", "hamate", "trapezoid") else "egg"
        bones.append(Bone(name, start, along(start, degrees, long), (wide, wide), shape, cortex_mm=0.75))
    return bones


def _finger(random: Random, number: int) -> tuple[list[Bone], list[Bone], Joint]:
    """Return bones, flesh and the middle joint of finger `number`, thumb = 0."""
    base, degrees, lengths, half_width = _RAYS[number]
    degrees += random.normal(0, 2.0)
    place: Place = (base[0], base[1], 12.0 * (number == 0) * -1)
    lift = 20.0 if number == 0 else 0.0
    bones: list[Bone] = []
    wide = vary(random, half_width)
    for step, length in enumerate(lengths):
        last = step == len(lengths) - 1
        end = along(place, degrees, vary(random, length, 0.03), lift)
        bones.append(_ray_bone(f"{_STEPS[step]}{number}", place, end, wide, step, last))
        place = along(end, degrees, 1.6)
        wide *= 0.86
        degrees *= 1.0 + (0.25 if step == 0 and number else 0.0)
        degrees += random.normal(0, 1.2)
        lift += random.normal(4.0, 2.0) if step else 0.0
    split = 2 if number else 1
    width = wide * 4.2 + 1.5
    tip = along(bones[-1].end, degrees, 4.0)
    root = bones[0].end if number == 0 else along(bones[0].end, degrees, -12.0)
    flesh = [
        Bone(
            f"finger{number} root",
            root,
            along(bones[split].start, degrees, width * 0.6),
            (width * 0.98, width),
            "limb",
        ),
        Bone(
            f"finger{number} tip",
            along(bones[split].start, degrees, -width),
            tip,
            (width * 0.9, width * 0.9),
            "finger",
        ),
    ]
    moving = (*(bone.name for bone in bones[split:]), f"finger{number} tip")
    joint = Joint(bones[split].start, wide * 3.2, moving)
    return bones, flesh, joint


_STEPS = ("metacarpal", "proximal", "middle", "distal")


def _ray_bone(name: str, start: Place, end: Place, wide: float, step: int, last: bool) -> Bone:
    """Return one bone of a finger."""
    outline = "tuft" if last else ("metacarpal" if step == 0 else "phalanx")
    sites = None if last else (0.3, 0.75)
    return Bone(name, start, end, (wide, wide * 0.9), outline, cortex_mm=wide * 0.36, sites=sites)


def _palm() -> list[Bone]:
    """Return the flesh of the palm with the ball of the thumb."""
    return [
        Bone("palm", (1.0, -4.0, 0.0), (-1.0, -104.0, 0.0), (35.0, 15.0), "limb"),
        Bone("palm radial", (-11.0, -2.0, 0.0), (-15.0, -100.0, 0.0), (22.0, 13.0), "limb"),
        Bone("palm thumb", (-12.0, -6.0, -6.0), (-46.0, -62.0, -12.0), (17.0, 13.0), "limb"),
    ]


def _wrist_flesh() -> list[Bone]:
    """Return the flesh of the end of the forearm."""
    return [
        Bone("forearm", (6.0, 250.0, 2.0), (1.0, -12.0, 1.0), (36.0, 27.0), "forearm"),
    ]
