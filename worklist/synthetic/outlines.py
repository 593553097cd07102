"""Outlines of bones and limbs: how width, side shift and cortex change along the axis.

The numbers are drawn by eye after normal anatomy, relative to the half-width and the
cortex of the shaft.
"""

from dataclasses import dataclass

Row = tuple[float, float, float, float]


@dataclass(frozen=True)
class Outline:
    """One outline, from start (0) to end (1) of the axis.

    Parameters
    ----------
    rows
        (along 0...1, side shift, half-width, cortex), the last three relative to the shaft.
    start_cap, end_cap
        Length of the rounded ends as a fraction of the axis; 0 for a flat end.
    """

    rows: tuple[Row, ...]
    start_cap: float
    end_cap: float


OUTLINES = {
    # Metacarpals and phalanges: square base at the start, round head at the end.
    "metacarpal": Outline(
        (
            (0, 0, 1.65, 0.35),
            (0.08, 0, 1.7, 0.4),
            (0.25, 0, 1.1, 0.9),
            (0.5, 0, 1.0, 1.0),
            (0.75, 0, 1.15, 0.8),
            (0.9, 0, 1.7, 0.35),
            (1, 0, 1.5, 0.3),
        ),
        0.03,
        0.13,
    ),
    "phalanx": Outline(
        (
            (0, 0, 1.7, 0.4),
            (0.1, 0, 1.65, 0.45),
            (0.35, 0, 1.1, 0.9),
            (0.65, 0, 0.95, 1.0),
            (0.88, 0, 1.3, 0.5),
            (1, 0, 1.25, 0.4),
        ),
        0.05,
        0.1,
    ),
    "tuft": Outline(
        (
            (0, 0, 1.9, 0.4),
            (0.12, 0, 1.7, 0.5),
            (0.5, 0, 0.85, 0.9),
            (0.75, 0, 0.9, 0.8),
            (0.9, 0, 1.25, 0.5),
            (1, 0, 1.1, 0.4),
        ),
        0.07,
        0.15,
    ),
    # Start at the elbow, end at the wrist.
    "radius": Outline(
        (
            (0, 0, 1.65, 0.3),
            (0.04, 0, 1.6, 0.35),
            (0.08, 0, 1.0, 0.6),
            (0.15, 0.35, 1.15, 0.8),
            (0.3, 0, 0.98, 1.0),
            (0.65, 0, 1.05, 1.0),
            (0.82, 0, 1.3, 0.7),
            (0.92, 0, 1.95, 0.3),
            (0.97, 0, 2.2, 0.22),
            (1, 0.1, 2.15, 0.25),
        ),
        0.012,
        0.02,
    ),
    "ulna": Outline(
        (
            (0, -0.5, 1.8, 0.35),
            (0.05, -0.45, 2.0, 0.35),
            (0.12, 0.1, 1.9, 0.4),
            (0.2, 0, 1.35, 0.75),
            (0.4, 0, 1.1, 1.0),
            (0.75, 0, 0.9, 1.0),
            (0.92, 0, 0.95, 0.6),
            (0.97, 0, 1.25, 0.4),
            (1, 0.15, 1.1, 0.4),
        ),
        0.03,
        0.02,
    ),
    # Start at the shoulder, end at the elbow.
    "humerus": Outline(
        (
            (0, 0, 1.7, 0.25),
            (0.06, 0, 2.0, 0.25),
            (0.13, 0, 1.75, 0.35),
            (0.2, 0, 1.25, 0.75),
            (0.35, 0, 1.05, 1.0),
            (0.6, 0, 0.98, 1.0),
            (0.78, 0, 1.15, 0.9),
            (0.9, 0, 1.9, 0.5),
            (0.955, 0, 2.75, 0.3),
            (1, 0, 2.1, 0.3),
        ),
        0.035,
        0.02,
    ),
    "clavicle": Outline(
        (
            (0, 0, 1.35, 0.6),
            (0.25, -0.6, 1.05, 1.0),
            (0.55, 0.4, 0.95, 1.0),
            (0.8, 0.5, 1.25, 0.8),
            (1, 0, 1.3, 0.5),
        ),
        0.04,
        0.05,
    ),
    "rib": Outline(((0, 0, 1, 1), (0.5, 0, 1, 1), (1, 0, 0.95, 1)), 0.01, 0.01),
    # Short bones, heads of long bones: an egg.
    "egg": Outline(((0, 0.05, 0.95, 1), (0.3, 0.12, 1, 1), (0.6, 0, 1.02, 1), (1, -0.1, 0.9, 1)), 0.5, 0.5),
    "ball": Outline(((0, 0, 1, 1), (0.5, 0, 1, 1), (1, 0, 1, 1)), 0.5, 0.5),
    "block": Outline(((0, 0, 1, 1), (0.5, 0.05, 0.9, 1), (1, 0, 1.05, 1)), 0.25, 0.25),
    "rod": Outline(((0, 0, 1, 1), (0.5, 0, 1, 1), (1, 0, 1, 1)), 0.01, 0.01),
    # A ridge of a flat bone: thin at both ends.
    "ridge": Outline(((0, 0, 0.55, 1), (0.3, 0.15, 0.9, 1), (0.7, -0.1, 1, 1), (1, 0, 0.5, 1)), 0.3, 0.2),
    # The blade of the scapula: wide above, a point below.
    "blade": Outline(
        (
            (0, 0.1, 0.75, 1),
            (0.15, 0, 1, 1),
            (0.4, 0.12, 0.85, 1),
            (0.75, 0.25, 0.5, 1),
            (1, 0.3, 0.2, 1),
        ),
        0.05,
        0.1,
    ),
    # Soft tissue.
    "limb": Outline(((0, 0, 0.9, 1), (0.3, 0, 1, 1), (0.7, 0, 1, 1), (1, 0, 0.9, 1)), 0.22, 0.22),
    "forearm": Outline(
        (
            (0, 0, 1.05, 1),
            (0.12, 0, 1.25, 1),
            (0.2, 0, 1.35, 1),
            (0.35, 0, 1.28, 1),
            (0.7, 0, 0.9, 1),
            (0.9, 0, 0.75, 1),
            (1, 0, 0.8, 1),
        ),
        0.1,
        0.1,
    ),
    "upper arm": Outline(
        ((0, 0, 1.2, 1), (0.2, 0, 1.15, 1), (0.5, 0, 1, 1), (0.8, 0, 0.88, 1), (1, 0, 0.95, 1)),
        0.12,
        0.12,
    ),
    "finger": Outline(((0, 0, 1.15, 1), (0.4, 0, 1.0, 1), (0.75, 0, 0.92, 1), (1, 0, 0.8, 1)), 0.03, 0.1),
}
