"""Each image cropped and squared once, exactly as the classifier will see it, and kept on disk.

Reading and cropping take longer than a small network does. The squares are named by the content of the file and
the version of the preprocessing, so that runs share them and a new version makes new ones.
"""

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.crop import PREPROCESSING_VERSION, Crop
from workers.square import prepare
from workers.training.events import Pace, Stage, Watch
from worklist.dataset.pixels import Unreadable, read_greys
from worklist.dataset.snapshot import Role, SnapshotImage
from worklist.errors import Invalid, Unavailable


@dataclass(frozen=True)
class Square:
    """One image of the snapshot and its square on disk.

    Parameters
    ----------
    sha256
        Of the image file's content and, if a reader drew it, the crop.
    path
        PNG of 8 bits (size, size), as ``workers.square.prepare`` makes it, 0...255.
    """

    image: SnapshotImage
    sha256: str
    path: Path


@dataclass(frozen=True)
class _LeftOut:
    """An image that cannot be used, and why."""

    image: SnapshotImage
    reason: str


def prepare_squares(images: Sequence[SnapshotImage], size: int, cache: Path, watch: Watch) -> list[Square]:
    """Return the squares of all images that can be read, making those that are not there yet.

    Parameters
    ----------
    size
        Side of the squares in pixels: what the network takes, so that nothing is scaled twice.
    cache
        Folder that runs share.

    Notes
    -----
    An image that cannot be read or cropped is told and left out: one damaged file in 37,000 is no reason to
    lose a night.

    Raises
    ------
    Cancelled
        If somebody stops the run.
    Unavailable
        If the cache cannot be written.
    """
    folder = cache / "squares" / f"{size}px-v{PREPROCESSING_VERSION}"
    pace = Pace(watch, Stage.IMAGES, len(images))
    squares: list[Square] = []
    drawn = sum(_drawn_crop(image) is not None for image in images)
    if drawn:
        watch.say(Stage.IMAGES, f"{drawn} images to learn from are cropped as their readers drew it.")
    for made in _in_threads(images, size, folder):
        if isinstance(made, Square):
            squares.append(made)
        else:
            watch.say(Stage.IMAGES, f"{made.image.name} is left out: {made.reason}.")
        pace.advance()
    return squares


def _in_threads(images: Sequence[SnapshotImage], size: int, folder: Path) -> Iterator[Square | _LeftOut]:
    """Make squares in their order; decoding and cropping work outside of the interpreter's lock."""
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
    try:
        yield from pool.map(partial(_square, size=size, folder=folder), images)
    finally:
        pool.shutdown(cancel_futures=True)


def _square(image: SnapshotImage, *, size: int, folder: Path) -> Square | _LeftOut:
    try:
        with image.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        crop = _drawn_crop(image)
        if crop is not None:
            digest = hashlib.sha256(f"{digest} {crop.rectangle}".encode()).hexdigest()
        path = folder / digest[:2] / f"{digest}.png"
        square = None if path.exists() else prepare(read_greys(image.path), size, crop).square
    except OSError as error:
        return _LeftOut(image, error.strerror or type(error).__name__)
    except (Unreadable, ValueError, cv2.error) as error:
        return _LeftOut(image, str(error).rstrip("."))
    if square is not None:
        _write(path, square)
    return Square(image, digest, path)


def _drawn_crop(image: SnapshotImage) -> Crop | None:
    """Return the crop that a reader drew, for an image to learn from.

    The others are cropped as the classifier will do it, or figures would be better than what it does.
    """
    if image.crop is None or image.role is not Role.FIT:
        return None
    return Crop(*image.crop, "drawn by a reader")


def _write(path: Path, square: NDArray[np.float32]) -> None:
    _, content = cv2.imencode(".png", np.round(square * 255).astype(np.uint8))
    write_whole(path, content.tobytes())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that no other run, and none after a kill, ever sees half of it.

    Raises
    ------
    Unavailable
        If it cannot be written: a full disk must end a run, not leave out images.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        raise Unavailable(f"{path.parent} cannot be written: {error.strerror}.") from error


def with_role(squares: Sequence[Square], *roles: Role) -> list[Square]:
    """Return the squares of some roles, in their order."""
    return [square for square in squares if square.image.role in roles]


def check_labels(images: Sequence[SnapshotImage]) -> None:
    """Check that there is something to learn from and something to choose by.

    Raises
    ------
    Invalid
        If images to fit to have one label in each body part, or images to tune with one altogether.
    """
    fit = {(image.body_part, image.is_abnormal) for image in images if image.role is Role.FIT}
    if not any((part, not is_abnormal) in fit for part, is_abnormal in fit):
        count = sum(image.role is Role.FIT for image in images)
        raise Invalid(
            f"Of {count} readable images to fit to, no body part has normal and abnormal ones: nothing can be "
            "learnt from them."
        )
    labels = [image.is_abnormal for image in images if image.role is Role.TUNE]
    if len(set(labels)) < 2:
        raise Invalid(
            f"Of {len(labels)} readable images to tune with, {sum(labels)} are abnormal: choices need both "
            "labels."
        )
