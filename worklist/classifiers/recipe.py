"""A recipe: all that decides the outcome of a training run, apart from the images and the start."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from worklist.errors import Invalid, Unavailable

SMALLEST_BATCH_FOR_STATISTICS = 16
"""Batch normalisation learns its statistics from so many images a step; fewer are too noisy to learn from."""


class Layers(StrEnum):
    """Which layers are trained; all others keep the weights of the start."""

    HEAD = "head"
    LAST_BLOCK = "last-block"
    ALL = "all"


class Precision(StrEnum):
    """Whether the backbone computes in 16 bits: auto does on a GPU, where it is faster, and nowhere else."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True)
class _Rule:
    """What a value must be, and how to say it."""

    kind: type
    allows: Callable[[Any], bool]
    words: str


def _whole(low: int, high: int) -> _Rule:
    return _Rule(int, lambda value: low <= value <= high, f"a whole number from {low} to {high}")


_YES_OR_NO = _Rule(bool, lambda _: True, "true or false")
_RULES = {
    "layers": _Rule(str, lambda value: value in set(Layers), f"one of {', '.join(Layers)}"),
    "input_size_px": _Rule(
        int, lambda value: 64 <= value <= 512 and value % 32 == 0, "a multiple of 32 from 64 to 512"
    ),
    "seed": _whole(0, 2**31 - 1),
    "head_iterations": _whole(1, 10_000),
    "epochs": _whole(1, 1000),
    "rate": _Rule(float, lambda value: 0 < value <= 0.1, "a number above 0, at most 0.1"),
    "batch": _whole(1, 1024),
    "patience": _whole(1, 1000),
    "flips": _YES_OR_NO,
    "rotation_degrees": _Rule(float, lambda value: 0 <= value <= 180, "a number of degrees from 0 to 180"),
    "class_weights": _YES_OR_NO,
    "mixed_precision": _Rule(str, lambda value: value in set(Precision), f"one of {', '.join(Precision)}"),
    "save_every": _whole(1, 1_000_000),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides the outcome of a run, apart from the images and the start.

    Parameters
    ----------
    layers
        The head is always fitted first, on features of the frozen backbone; then the named layers are trained.
    input_size_px
        Side of the squares. 224 is what the published DenseNet201 run on MURA took (kappa 0.645 per study);
        the MURA paper took 320, which costs twice the time and shows finer fractures.
    seed
        Decides order, augmentation and dropout: the same seed on the same machine gives the same weights.
    head_iterations
        Most iterations of L-BFGS for the head. It has no learning rate: the problem is convex.
    epochs, rate, batch
        Of the stage after the head. 10 epochs of Adam at 1e-5, 8 images a step, as the published run; ten times
        less than the MURA paper's 1e-4, because here the head is fitted before and the rest only adapts.
    patience
        Epochs without a better kappa over the studies of the tuning images, after which it ends.
    flips
        Mirror left and right in half of the cases, as the MURA paper's lateral inversion.
    rotation_degrees
        Largest angle of turning, either way; 30 in the MURA paper.
    class_weights
        Weight each image by the rarity of its label within its body part, as the MURA paper.
    mixed_precision
        Whether the backbone computes in 16 bits. The head and the loss never do.
    save_every
        Steps between checkpoints; there is one at the end of every epoch as well.

    Raises
    ------
    Invalid
        If a value breaks its rule; the message names both.

    References
    ----------
    Rajpurkar et al., MURA: Large Dataset for Abnormality Detection in Musculoskeletal Radiographs,
    arXiv 1712.06957, section 3.1. The published DenseNet201 run: docs/training.md.
    """

    layers: Layers = Layers.ALL
    input_size_px: int = 224
    seed: int = 1
    head_iterations: int = 300
    epochs: int = 10
    rate: float = 1e-5
    batch: int = 8
    patience: int = 3
    flips: bool = True
    rotation_degrees: float = 30.0
    class_weights: bool = True
    mixed_precision: Precision = Precision.AUTO
    save_every: int = 250

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _checked(field.name, getattr(self, field.name)))
        object.__setattr__(self, "layers", Layers(self.layers))
        object.__setattr__(self, "mixed_precision", Precision(self.mixed_precision))

    @property
    def is_statistics_frozen(self) -> bool:
        """Whether batch normalisation keeps the statistics of the start: with small batches it must."""
        return self.batch < SMALLEST_BATCH_FOR_STATISTICS

    def to_json(self) -> str:
        """Return the recipe as JSON, every value named."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read a recipe; what is not named has its default.

        Raises
        ------
        Invalid
            If it is no JSON object, has a key that no recipe has, or a value breaks its rule.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise Invalid(f"The recipe is not JSON: {error}.") from error
        if not isinstance(values, dict):
            raise Invalid('The recipe must be a JSON object like {"layers": "head"}.')
        unknown = sorted(set(values) - set(_RULES))
        if unknown:
            raise Invalid(f"A recipe has no {unknown[0]!r}; it has {', '.join(_RULES)}.")
        return cls(**values)


def _checked(name: str, value: object) -> Any:
    """Return a value in its type, if it keeps its rule."""
    rule = _RULES[name]
    if rule.kind is float and type(value) is int:
        value = float(value)
    # True is an int to Python, and 1 is no yes here.
    if not isinstance(value, rule.kind) or (rule.kind is int and isinstance(value, bool)):
        raise Invalid(f"The recipe's {name} is {value!r}; it must be {rule.words}.")
    if not rule.allows(value):
        raise Invalid(f"The recipe's {name} is {_shown(value)}; it must be {rule.words}.")
    return value


def _shown(value: object) -> str:
    return repr(str(value)) if isinstance(value, str) else repr(value)


_FULL = Recipe()
PRESETS = {
    "head": replace(_FULL, layers=Layers.HEAD),
    "last-block": replace(_FULL, layers=Layers.LAST_BLOCK, rate=1e-4),
    "full": _FULL,
}
"""`head`: minutes on a CPU. `last-block`: a third of the weights, an hour or so. `full`: a night, or a GPU."""


def read_recipe(name: str) -> Recipe:
    """Return a preset by its name, or the recipe in a file.

    Raises
    ------
    Invalid
        If the recipe breaks a rule.
    Unavailable
        If it is no preset and there is no such file.
    """
    if name in PRESETS:
        return PRESETS[name]
    try:
        return Recipe.from_json(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        presets = ", ".join(PRESETS)
        raise Unavailable(f"The recipe {name} is none of {presets}, and no file to read: {reason}.") from error
