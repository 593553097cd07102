"""Displayed greys of a labelled image, and fingerprints by which two images are found to be the same."""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy.fft import dctn

from worklist.dataset.record import LabelledImage
from worklist.dicom.pixels import CannotDecode, classifier_greys, displayed_greys
from worklist.errors import Invalid

Greys = NDArray[np.float32]

LIKENESS_BITS = 256
_SIDE = 16
_THUMBNAIL_PX = 64
_FORMATS = ("PNG", "JPEG")
# What Pillow raises for damaged files: a broken PNG is a SyntaxError to it.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


class Unreadable(Invalid):
    """There is no image in the file, or not a whole one; the message says why."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What stays of an image when its pixels are let go.

    Parameters
    ----------
    pixels
        SHA-256 of size and greys: the same for a grey file and its copy in three channels.
    likeness
        `LIKENESS_BITS` packed bits; copies that were scaled, brightened or compressed differ in few.
    is_blank
        All pixels have one grey.
    """

    pixels: bytes
    likeness: bytes
    is_blank: bool


def read_greys(path: Path) -> Greys:
    """Read a PNG, JPEG or DICOM file as the classifier takes it.

    Returns
    -------
    numpy.ndarray
        Float32 (rows, columns), 0 (black) to 1 (white). Colour files are made grey, 16-bit ones keep their
        depth, DICOM files go through the grey pipeline that all images go through.

    Raises
    ------
    Unreadable
        If there is no whole image in it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(132)
        if not head:
            raise Unreadable("the file is empty")
        return _dicom_greys(path) if head[128:] == b"DICM" else _picture_greys(path)
    except _DAMAGED as error:
        raise Unreadable(_reason(error)) from error


def _dicom_greys(path: Path) -> Greys:
    try:
        return classifier_greys(displayed_greys(path))
    except CannotDecode as error:
        raise Unreadable(str(error)) from error


def _picture_greys(path: Path) -> Greys:
    with Image.open(path, formats=_FORMATS) as picture:
        if picture.mode.startswith("I"):
            return np.asarray(picture, np.float32) / np.float32(65535)
        return np.asarray(picture.convert("L"), np.float32) / np.float32(255)


def _reason(error: BaseException) -> str:
    """Return what is wrong, without the path that the caller names anyway."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnidentifiedImageError):
        return "it is no PNG, JPEG or DICOM file"
    return str(error)


def fingerprint(greys: Greys) -> Fingerprint:
    """Return the fingerprint of an image.

    Parameters
    ----------
    greys
        Float32 (rows, columns), 0...1.

    Notes
    -----
    The likeness is the perceptual hash of the low frequencies: greys at 64 x 64, cosine transform, its first
    16 x 16 coefficients against their median. Pillow and SciPy are here anyway, so it is four lines; ImageHash
    (BSD) does the same and would bring PyWavelets along, and OpenCV may not be loaded in this package. The
    difference hash, which is cheaper, does not part copies from strangers: of 274 drawn radiographs of 320
    pixels, two of different patients differ in 14 of its 256 bits, an image and its JPEG of quality 40 in up to
    82; here it is 28 and 8.

    References
    ----------
    Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, section 3.2.1.
    """
    digest = hashlib.sha256(repr(greys.shape).encode())
    digest.update(greys.tobytes())
    size = (_THUMBNAIL_PX, _THUMBNAIL_PX)
    thumbnail = np.asarray(Image.fromarray(greys).resize(size, Image.Resampling.BILINEAR))
    low = dctn(thumbnail)[:_SIDE, :_SIDE].ravel()
    bits = low > np.median(low[1:])
    return Fingerprint(digest.digest(), np.packbits(bits).tobytes(), bool(greys.min() == greys.max()))


def fingerprints(
    images: Iterable[LabelledImage],
) -> Iterator[tuple[LabelledImage, Fingerprint | Unreadable]]:
    """Open the images one by one and yield the fingerprint of each, or why it has none.

    Notes
    -----
    Decoding and hashing work outside of the interpreter's lock, so a thread for each core pays. Each thread has
    the pixels of one image, and only a few images are asked for ahead, however many are to come.
    """
    threads = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[LabelledImage, Future[Fingerprint | Unreadable]]] = deque()
        for image in images:
            waiting.append((image, pool.submit(_opened, image.path)))
            if len(waiting) >= 4 * threads:
                first, opened = waiting.popleft()
                yield first, opened.result()
        for last, opened in waiting:
            yield last, opened.result()


def _opened(path: Path) -> Fingerprint | Unreadable:
    try:
        return fingerprint(read_greys(path))
    except Unreadable as error:
        return error
