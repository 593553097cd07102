"""Which views a study of a body part is expected to have, and whether they are all there.

References
----------
PS3.3 C.8.11.5.1.1 and PS3.16 CID 4010 (View Position (0018,5101) of projection radiographs).
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from worklist.tables import BodyPart

KINDS: Mapping[str, frozenset[str]] = {
    "frontal": frozenset({"AP", "PA", "DP", "PD", "DV", "VD", "AP/PA"}),
    "lateral": frozenset({"LL", "RL", "LAT", "LATERAL", "LM", "ML", "L", "R"}),
    "oblique": frozenset({"OBL", "OBLIQUE", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "AO", "PO"}),
    "axial": frozenset({"AX", "AXIAL", "SI", "IS", "Y", "TAN"}),
}
"""Kind of view → the defined terms, and what modalities write for them."""


def kind_of(view_position: str) -> str:
    """Return the kind of a view position; an unknown one stands for itself."""
    term = view_position.strip().upper()
    return next((kind for kind, terms in KINDS.items() if term in terms), term)


def are_complete(expected: str, body_part: BodyPart | None, view_positions: Iterable[str]) -> bool:
    """Say if a study has a view of each kind that its body part is expected to have.

    Parameters
    ----------
    expected
        As in WORKLIST_EXPECTED_VIEWS, which has been checked: ``WRIST=frontal+lateral, HAND=frontal+oblique``.
    """
    kinds = _parsed(expected).get(body_part.value if body_part else "")
    return kinds is not None and kinds <= {kind_of(position) for position in view_positions}


@lru_cache(maxsize=8)
def _parsed(expected: str) -> dict[str, frozenset[str]]:
    pairs = (entry.split("=") for entry in expected.replace(" ", "").split(",") if entry)
    return {part: frozenset(kinds.split("+")) for part, kinds in pairs}
