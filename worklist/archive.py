"""DICOM files on disk: spooled, synced, renamed into place, and found again by a relative path.

``spool/`` takes what is being received, ``YYYY/MM/DD/`` what is kept, ``quarantine/`` what was refused but may
matter. File names are random: a UID may hold ``../`` and never becomes part of a path. The day folders bound
the search for files whose rows were lost in a crash: only those of the last days have to be looked at.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

from worklist import settings
from worklist.errors import Invalid, NotFound, Unavailable

SPOOL = "spool"
QUARANTINE = "quarantine"
LOCK = "receiver.lock"
BLOCK_BYTES = 1024**2


@dataclass(frozen=True)
class Kept:
    """A file that is safely on disk.

    Attributes
    ----------
    file_path : str
        Relative to the archive folder, with forward slashes.
    sha256 : str
        Of the whole file, file meta information included, in hexadecimal.
    """

    file_path: str
    sha256: str
    file_bytes: int


def path_of(file_path: str) -> Path:
    """Return where a kept file lies.

    Raises
    ------
    Invalid
        If the path leads out of the archive.
    NotFound
        If there is no such file.
    """
    folder = settings.current().archive_folder.resolve()
    path = (folder / file_path).resolve()
    if not path.is_relative_to(folder):
        raise Invalid(f"{file_path} lies outside of the archive.")
    if not path.is_file():
        raise NotFound(f"The file {file_path} is missing in the archive.")
    return path


def has(file_path: str) -> bool:
    """Say if a kept file is still there."""
    return (settings.current().archive_folder / file_path).is_file()


def spool_folder() -> Path:
    """Return the folder for files that are being received; it is made if need be."""
    folder = settings.current().archive_folder / SPOOL
    with disk_errors():
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def new_spool_path() -> Path:
    """Return a path for a file that is about to be received, in the file system of the archive."""
    return spool_folder() / f"{uuid4().hex}.part"


def check_space() -> None:
    """Make sure that the disk has room for another image.

    Raises
    ------
    Unavailable
        If less than the configured free space is left, or the disk cannot be asked.
    """
    required = settings.current().minimum_free_bytes
    with disk_errors():
        free = shutil.disk_usage(spool_folder()).free
    if free < required:
        raise Unavailable(
            f"The archive disk has {free / 1e9:.1f} GB free, less than the {required / 1e9:.1f} GB of "
            "WORKLIST_MINIMUM_FREE_BYTES."
        )


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn the errors of the operating system into one that says what failed.

    Raises
    ------
    Unavailable
        If the disk is full, over quota, read only, or broken.
    """
    try:
        yield
    except OSError as error:
        raise Unavailable(f"The archive disk failed: {error.strerror or type(error).__name__}.") from error


def keep(spooled_path: Path, received_at: datetime) -> Kept:
    """Move a received file into the archive, so that it survives a power cut.

    Notes
    -----
    The order matters: the bytes are synced before the name exists, and the name before the caller commits.

    Raises
    ------
    Unavailable
        If the disk is full or fails; the spooled file is then still where it was, or nowhere.
    """
    check_space()
    with disk_errors():
        sha256, file_bytes = _digest(spooled_path)
        _sync(spooled_path)
        folder = _day_folder(received_at.date())
        target = folder / f"{spooled_path.stem}.dcm"
        spooled_path.rename(target)
        _sync(folder)
    return Kept(_relative(target), sha256, file_bytes)


def describe(file_path: str) -> Kept:
    """Return what `keep` returned for a file that is kept already.

    Raises
    ------
    NotFound
        If there is no such file.
    """
    with disk_errors():
        sha256, file_bytes = _digest(path_of(file_path))
    return Kept(file_path, sha256, file_bytes)


def remove(file_path: str) -> None:
    """Delete a kept file that turned out to be a duplicate, or whose rows were not committed."""
    path = settings.current().archive_folder / file_path
    with disk_errors():
        path.unlink(missing_ok=True)


def quarantine(kept: Kept) -> str:
    """Set a kept file aside and return its new path: refused, but a person may want to look at it.

    It is named after its content, so that a modality that tries again and again fills no disk.
    """
    folder = settings.current().archive_folder
    target = folder / QUARANTINE / f"{kept.sha256}.dcm"
    with disk_errors():
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / kept.file_path).rename(target)
        _sync(target.parent)
    return _relative(target)


def files_since(day: date) -> Iterator[str]:
    """Yield the paths of all files kept on a day or later."""
    for folder in sorted(settings.current().archive_folder.glob("[0-9]*/[0-9]*/[0-9]*")):
        if "/".join(folder.parts[-3:]) >= f"{day:%Y/%m/%d}":
            yield from (_relative(path) for path in sorted(folder.glob("*.dcm")))


@contextmanager
def sole_receiver() -> Iterator[None]:
    """Hold the spool folder for one process, and empty it of what an interrupted one left.

    A file in the spool was never acknowledged: the modality sends it again.

    Raises
    ------
    Unavailable
        If another receiver holds it.
    """
    folder = spool_folder()
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unavailable(f"Another receiver already uses the archive {folder.parent}.") from error
        for path in folder.glob("*.part"):
            path.unlink(missing_ok=True)
        yield


def _day_folder(day: date) -> Path:
    """Return the folder of a day; new folders on the way are synced into their parents."""
    folder = settings.current().archive_folder
    for name in f"{day:%Y/%m/%d}".split("/"):
        parent, folder = folder, folder / name
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            _sync(parent)
    return folder


def _digest(path: Path) -> tuple[str, int]:
    digest, file_bytes = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            file_bytes += len(block)
    return digest.hexdigest(), file_bytes


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _relative(path: Path) -> str:
    return path.relative_to(settings.current().archive_folder).as_posix()
