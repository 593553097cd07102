"""The words of a person's name, as a search compares them: in any order. Pure."""

import re

_BETWEEN = re.compile(r"[\s^=,]+")


def words(folded: str) -> list[str]:
    """Return the words of a folded name or of what somebody typed."""
    return [word for word in _BETWEEN.split(folded) if word]


def turns(folded: str) -> list[str]:
    """Return a name begun at each of its words, so that each can be found by how it begins.

    ``MUSTER^MAX OTTO`` is found as ``MUSTER MAX OTTO``, ``MAX OTTO MUSTER`` and ``OTTO MUSTER MAX``.
    """
    found = words(folded)
    return sorted({" ".join([*found[at:], *found[:at]]) for at in range(len(found))})
