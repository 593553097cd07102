"""Letters and digits of five by seven dots, for lead markers and burned-in text."""

import numpy as np
from numpy.typing import NDArray

# Seven rows per sign, five bits each, most significant bit left.
_SIGNS = {
    "A": (14, 17, 17, 31, 17, 17, 17), "B": (30, 17, 17, 30, 17, 17, 30),
    "C": (14, 17, 16, 16, 16, 17, 14), "D": (30, 17, 17, 17, 17, 17, 30),
    "E": (31, 16, 16, 30, 16, 16, 31), "F": (31, 16, 16, 30, 16, 16, 16),
    "G": (14, 17, 16, 23, 17, 17, 14), "H": (17, 17, 17, 31, 17, 17, 17),
    "I": (14, 4, 4, 4, 4, 4, 14), "J": (1, 1, 1, 1, 1, 17, 14),
    "K": (17, 18, 20, 24, 20, 18, 17), "L": (16, 16, 16, 16, 16, 16, 31),
    "M": (17, 27, 21, 21, 17, 17, 17), "N": (17, 25, 25, 21, 19, 19, 17),
    "O": (14, 17, 17, 17, 17, 17, 14), "P": (30, 17, 17, 30, 16, 16, 16),
    "R": (30, 17, 17, 30, 20, 18, 17), "S": (15, 16, 16, 14, 1, 1, 30),
    "T": (31, 4, 4, 4, 4, 4, 4), "U": (17, 17, 17, 17, 17, 17, 14),
    "V": (17, 17, 17, 17, 17, 10, 4), "W": (17, 17, 17, 21, 21, 27, 17),
    "Y": (17, 17, 10, 4, 4, 4, 4), "-": (0, 0, 0, 14, 0, 0, 0), " ": (0,) * 7,
    "0": (14, 17, 19, 21, 25, 17, 14), "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 6, 8, 16, 31), "3": (30, 1, 1, 14, 1, 1, 30),
    "4": (2, 6, 10, 18, 31, 2, 2), "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (14, 16, 16, 30, 17, 17, 14), "7": (31, 1, 2, 4, 4, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14), "9": (14, 17, 17, 15, 1, 1, 14),
}  # fmt: skip


def lettering(text: str, dot_px: int) -> NDArray[np.bool_]:
    """Return text as dots.

    Parameters
    ----------
    text
        Upper-case letters, digits, hyphen and space; other signs become spaces.
    dot_px
        Side of one dot in pixels.

    Returns
    -------
    ndarray of bool, shape (7 * dot_px, (6 * len(text) - 1) * dot_px)
        True where a dot is.
    """
    rows = np.zeros((7, 6 * len(text)), bool)
    for number, sign in enumerate(text):
        bits = np.asarray(_SIGNS.get(sign, _SIGNS[" "]), np.uint8)
        rows[:, 6 * number : 6 * number + 5] = np.unpackbits(bits[:, None], axis=1)[:, 3:]
    return np.kron(rows[:, :-1], np.ones((dot_px, dot_px), bool)).astype(bool)
