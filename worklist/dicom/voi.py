"""The values of interest: window, sigmoid or lookup table, and what to do without.

Everything here works on one oriented scale: *brightness*, the modality value
or, where the image is inverted, its negative, so that larger is always brighter.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

Values = NDArray[np.float64]

LEAST_SHOWN = 0.01
"""A window with a smaller share of the pixels inside it shows nothing; chosen, not measured."""

FALL_BACK_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class Window:
    """Two values: black at and below ``lower``, white at and above ``upper``."""

    lower: float
    upper: float

    @property
    def centre(self) -> float:
        """Window Center of a LINEAR window with these ends (PS3.3 C.11.2.1.2.1)."""
        return (self.lower + self.upper + 1) / 2

    @property
    def width(self) -> float:
        """Window Width of a LINEAR window with these ends (PS3.3 C.11.2.1.2.1)."""
        return self.upper - self.lower + 1

    def negated(self) -> "Window":
        """Give the same window on the negative scale."""
        return Window(-self.upper, -self.lower)


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Read a decimal attribute; what is missing or no finite number is left out."""
    try:
        value = dataset.get(keyword)
        values = np.atleast_1d(np.array([] if value is None else value, dtype=np.float64))
    except (ValueError, TypeError, OverflowError):
        return []
    return [float(number) for number in values if math.isfinite(number)]


def linear_window(dataset: Dataset) -> Window | None:
    """Give the first window in modality values; None if there is none that is valid.

    References
    ----------
    PS3.3 C.11.2.1.2.1 (LINEAR, the default) and C.11.2.1.3.2 (LINEAR_EXACT).
    """
    centres, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    if not centres or not widths:
        return None
    centre, width = centres[0], widths[0]
    if dataset.get("VOILUTFunction") == "LINEAR_EXACT":
        return Window(centre - width / 2, centre + width / 2) if width > 0 else None
    if width < 1:
        return None
    return Window(centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2)


def sigmoid(modality: Values, dataset: Dataset, white: int) -> Values | None:
    """Map modality values to 0…white by the sigmoid; None without a valid window.

    References
    ----------
    PS3.3 C.11.2.1.3.1 (SIGMOID).
    """
    centres, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    if not centres or not widths or widths[0] <= 0:
        return None
    exponent = np.clip(-4 * (modality - centres[0]) / widths[0], -700, 700)
    return white / (1 + np.exp(exponent))


def through_table(values: Values, item: Dataset) -> tuple[Values, int]:
    """Look values up in an item of a Modality or VOI LUT Sequence.

    Returns
    -------
    entries : numpy.ndarray
        One for each value; what lies outside the table takes its first or last.
    white : int
        The largest value that the table can give.

    Raises
    ------
    ValueError
        If the descriptor and the data do not fit each other.

    References
    ----------
    PS3.3 C.11.1.1 and C.11.2.1.1 (LUT Descriptor, LUT Data).
    """
    length, first, bits = (int(number) for number in item.LUTDescriptor)
    length = length or 65536
    table = _lut_data(item, length, bits)
    # The first value mapped is signed or not as the values are, but its VR is often wrong.
    if first >= 32768 and values.max() < first:
        first -= 65536
    places = np.clip(np.rint(values) - first, 0, length - 1).astype(np.intp)
    return table[places].astype(np.float64), max(2**bits - 1, int(table.max()))


def _lut_data(item: Dataset, length: int, bits: int) -> NDArray[np.uint16]:
    """Read the entries, which come as numbers, as words or as packed octets."""
    data = item.LUTData
    if isinstance(data, bytes):
        octets = bits <= 8 and len(data) in (length, length + 1)
        data = np.frombuffer(data, np.uint8 if octets else "<u2")
    table = np.atleast_1d(np.asarray(data)).astype(np.uint16)[:length]
    if len(table) < length or not 1 <= bits <= 16:
        raise ValueError(f"LUT Descriptor promises {length} entries of {bits} bits, there are {len(table)}")
    return table


def share_inside(window: Window, brightness: Values, counts: NDArray[np.int64]) -> float:
    """Give the share of the pixels strictly between black and white."""
    inside = (brightness > window.lower) & (brightness < window.upper)
    return float(counts[inside].sum() / max(1, counts.sum()))


def percentile_window(brightness: Values, counts: NDArray[np.int64]) -> Window:
    """Give a window from nearly the darkest to nearly the brightest pixel."""
    order = np.argsort(brightness, kind="stable")
    order = order[counts[order] > 0]
    if not len(order):
        return Window(0.0, 1.0)
    reached = np.cumsum(counts[order])
    ends = np.searchsorted(reached, np.array(FALL_BACK_PERCENTILES) / 100 * reached[-1])
    lower, upper = brightness[order[np.minimum(ends, len(order) - 1)]]
    if upper <= lower:
        lower, upper = brightness[order[0]], brightness[order[-1]]
    return Window(float(lower), float(upper if upper > lower else lower + 1))
