"""Left or right: whether what a study is called and what its images are tagged with agree. Pure."""

import re
from collections.abc import Iterable

# English, German, French, Italian, Spanish.
_WORDS = {
    "L": (
        {"left", "lt"}
        | {"links", "linke", "linker", "linkes"}
        | {"gauche", "sinistra", "sinistro", "izquierda", "izquierdo"}
    ),
    "R": (
        {"right", "rt"}
        | {"rechts", "rechte", "rechter", "rechtes"}
        | {"droit", "droite", "destra", "destro", "derecha", "derecho"}
    ),
}
_NAMES = {"L": "left", "R": "right"}


def side_of(text: str) -> str:
    """Return L or R if a description names one side, and an empty text if it names none or both."""
    words = set(re.findall(r"[^\W\d_]+", text.casefold()))
    named = [side for side, own in _WORDS.items() if words & own]
    return named[0] if len(named) == 1 else ""


def contradiction(description: str, lateralities: Iterable[str]) -> str:
    """Say in a sentence that description and tags name different sides; an empty text if they do not.

    Parameters
    ----------
    lateralities
        Of each image, as (0020,0062) or (0020,0060) have it: L, R, B, U or empty.
    """
    tagged = [laterality for laterality in lateralities if laterality in _NAMES]
    named = side_of(description)
    if len(set(tagged)) == 2:
        return "Some images are tagged as left and some as right: look at the markers in the images."
    if named and tagged and tagged[0] != named:
        return (
            f"The study is called {_NAMES[named]}, its images are tagged as {_NAMES[tagged[0]]}: look at the "
            "markers in the images."
        )
    return ""
