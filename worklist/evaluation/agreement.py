"""Flags against labels: sensitivity, specificity, accuracy, kappa, and whether one version errs more often."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from worklist.evaluation.cases import Labels
from worklist.evaluation.interval import CONFIDENCE, Interval, share

RESAMPLES = 2000
Flags = NDArray[np.bool_]


def sensitivity(labels: Labels, flags: Flags) -> Interval | None:
    """Return the share of abnormal cases that are flagged; None without abnormal ones."""
    return share(int((flags & labels).sum()), int(labels.sum()))


def specificity(labels: Labels, flags: Flags) -> Interval | None:
    """Return the share of normal cases that are not flagged; None without normal ones."""
    return share(int((~flags & ~labels).sum()), int((~labels).sum()))


def accuracy(labels: Labels, flags: Flags) -> Interval | None:
    """Return the share of cases whose flag is their label; None without cases."""
    return share(int((flags == labels).sum()), len(labels))


def kappa(labels: Labels, flags: Flags, patients: Sequence[str], *, seed: int = 1) -> Interval | None:
    """Return Cohen's kappa of label and flag, with a bootstrap interval over patients; None with one label.

    Notes
    -----
    Patients are drawn with all their cases, since cases of one patient are alike. Draws without two labels have
    no kappa and are left out.

    References
    ----------
    Cohen, A coefficient of agreement for nominal scales, 1960; Field and Welsh, Bootstrapping clustered data,
    JRSS B 2007.
    """
    if len(set(labels.tolist())) < 2:
        return None
    _, of_patient = np.unique(patients, return_inverse=True)
    cells = np.zeros((of_patient.max() + 1, 4))
    np.add.at(cells, (of_patient, 2 * labels.astype(int) + flags.astype(int)), 1)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(cells), np.full(len(cells), 1 / len(cells)), RESAMPLES)
    values = _kappa(drawn.astype(np.float64) @ cells)
    low, high = np.nanquantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(_kappa(cells.sum(axis=0))), float(low), float(high))


def _kappa(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return kappas from counts (..., 4): normal plain, normal flagged, abnormal plain, abnormal flagged."""
    total = cells.sum(axis=-1)
    agreed = (cells[..., 0] + cells[..., 3]) / total
    abnormal = (cells[..., 2] + cells[..., 3]) / total
    flagged = (cells[..., 1] + cells[..., 3]) / total
    by_chance = abnormal * flagged + (1 - abnormal) * (1 - flagged)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((agreed - by_chance) / (1 - by_chance))


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p of two versions erring equally often, from the cases that one alone judges right.

    References
    ----------
    McNemar, Note on the sampling error of the difference between correlated proportions, 1947; exact form.
    """
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
