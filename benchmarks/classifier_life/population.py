"""Two hospitals whose radiographs look different, and the truth about every study that they send."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from worklist.synthetic import BODY_PARTS, LESIONS, VIEWS, Film, draw_radiograph, random_film
from worklist.synthetic.dataset import make_dataset, make_visit
from worklist.synthetic.skeleton import Random

SIZE = (640, 512)

Films = Callable[[Random], Film]


@dataclass(frozen=True)
class DrawnStudy:
    """A study that lies on disk, ready to be sent.

    Parameters
    ----------
    accession_number
        By which a reader knows it on the page.
    is_abnormal
        The truth: it was drawn with a lesion.
    """

    accession_number: str
    is_abnormal: bool
    folder: Path


def other_hospital(random: Random) -> Film:
    """Return a film of a department with worn-out plates, darker, noisy, veiled, with large lead letters."""
    return replace(
        random_film(random),
        noise=float(random.uniform(2.0, 4.0)),
        gamma=float(random.uniform(1.3, 1.8)),
        veil=float(random.uniform(0.2, 0.35)),
        frame="white",
        has_marker=True,
        marker_scale=2.5,
    )


def draw_studies(folder: Path, films: Films, seeds: Sequence[int], *, abnormal_of_ten: int) -> list[DrawnStudy]:
    """Draw one study for each seed, body parts in turn, on all processors.

    Parameters
    ----------
    abnormal_of_ten
        How many of ten studies have a lesion.
    """
    draw = partial(_draw, folder, films, abnormal_of_ten)
    with ProcessPoolExecutor() as pool:
        return list(pool.map(draw, seeds, range(len(seeds)), chunksize=4))


def _draw(folder: Path, films: Films, abnormal_of_ten: int, seed: int, number: int) -> DrawnStudy:
    turn = number // len(BODY_PARTS)
    # 3 has no factor in common with 10: abnormal and normal studies are mixed in every body part.
    is_abnormal = (3 * turn + number % len(BODY_PARTS)) % 10 < abnormal_of_ten
    part = BODY_PARTS[number % len(BODY_PARTS)]
    film = replace(films(np.random.default_rng(seed)), text="")
    visit = replace(make_visit(seed), description=f"{part} X-RAY")
    target = folder / f"{seed}"
    target.mkdir(parents=True)
    lesion = LESIONS[turn % len(LESIONS)] if is_abnormal else None
    for index, view in enumerate(VIEWS[part], start=1):
        radiograph = draw_radiograph(part, view, seed=seed, lesion=lesion, size=SIZE, film=film)
        dataset = make_dataset(radiograph, visit=visit, instance_number=index)
        dataset.save_as(target / f"{index}.dcm", enforce_file_format=True)
    return DrawnStudy(visit.accession_number, is_abnormal, target)
