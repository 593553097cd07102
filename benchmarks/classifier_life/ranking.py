"""How good the order of a list is for the patients who wait in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Order:
    """A list, from its top.

    Parameters
    ----------
    is_abnormal
        The truth about each study, in the order in which they would be read.
    """

    is_abnormal: tuple[bool, ...]

    @property
    def mean_place(self) -> float:
        """Mean number of studies that are read before an abnormal one."""
        return float(np.flatnonzero(self.is_abnormal).mean())

    @property
    def among_first(self) -> float:
        """Share of abnormal studies among the first n, where n is the number of abnormal ones."""
        number = sum(self.is_abnormal)
        return float(np.mean(self.is_abnormal[:number]))

    def read_until(self, share: float) -> int:
        """Return how many studies are read until a share (0...1) of the abnormal ones has been."""
        found = self.found()
        return int(np.searchsorted(found, share - 1e-9)) + 1

    def found(self) -> NDArray[np.float64]:
        """Return the share of abnormal studies that has been read after each study, float64, (studies,)."""
        return np.cumsum(self.is_abnormal) / sum(self.is_abnormal)


def ordered(accession_numbers: Sequence[str], truth: dict[str, bool]) -> Order:
    """Return the order of a list, given from its top."""
    return Order(tuple(truth[number] for number in accession_numbers))
