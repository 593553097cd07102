"""Synthetic radiographs as a snapshot: each seed is a patient, once normal and once with a lesion."""

import logging
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from workers.training.demo.dataset import Item, Snapshot, make_item
from worklist.synthetic import (
    BODY_PARTS,
    LESIONS,
    VIEWS,
    Lesion,
    SyntheticRadiograph,
    draw_radiograph,
    random_film,
)

log = logging.getLogger(__name__)

TRAINING_SEEDS = range(100_000, 101_400)
CALIBRATION_SEEDS = range(200_000, 200_420)
TEST_SEEDS = range(300_000, 300_350)
"""Patients of the three sets: no seed, so no bone, is in two of them."""

_SIZES = ((576, 460), (560, 560), (480, 600), (640, 480))


def draw_pair(seed: int) -> tuple[SyntheticRadiograph, SyntheticRadiograph]:
    """Draw one patient twice, normal and with a lesion, as an arbitrary device would.

    The body part goes round with the seed; view, lesion, size and film follow from it.
    """
    random = np.random.default_rng([seed, 77])
    body_part = BODY_PARTS[seed % len(BODY_PARTS)]
    view = str(random.choice(list(VIEWS[body_part])))
    lesion: Lesion = LESIONS[int(random.integers(len(LESIONS)))]
    size = _SIZES[int(random.integers(len(_SIZES)))]
    normal, abnormal = (
        draw_radiograph(body_part, view, seed=seed, lesion=chosen, size=size, film=random_film(random))
        for chosen in (None, lesion)
    )
    return normal, abnormal


def items(seed: int) -> list[Item]:
    """Return the two images of one patient as items of a snapshot."""
    return [
        make_item(
            radiograph.displayed_greys,
            is_abnormal=radiograph.lesion is not None,
            body_part=radiograph.body_part,
            lesion_box=radiograph.lesion_box,
            group=str(seed),
        )
        for radiograph in draw_pair(seed)
    ]


def draw_snapshot(seeds: Iterable[int], *, processes: int = 2) -> Snapshot:
    """Draw all patients of a set.

    Parameters
    ----------
    processes
        Number of processes that draw side by side.
    """
    found: list[Item] = []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for number, pair in enumerate(pool.map(items, seeds, chunksize=10)):
            found += pair
            if number % 200 == 0:
                log.info("patients_drawn=%d", number)
    return Snapshot.of(found)
