"""DICOM files on disk: spooled, synced, renamed into place, and found again by a relative path.

``spool/`` takes what is being received (``receiver/ownership.py``), ``YYYY/MM/DD/`` what is kept, and
``quarantine/`` what an administrator has to decide on. File names are random: a UID may hold ``../`` and never
becomes part of a path. The day folders bound the search for files whose rows were lost in a crash.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

from worklist import settings
from worklist.errors import Invalid, NotFound, Unavailable

SPOOL = "spool"
QUARANTINE = "quarantine"
BLOCK_BYTES = 1024**2
_synced: set[Path] = set()


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


def has(file_path: str, file_bytes: int | None = None) -> bool:
    """Say if a kept file is still there, and, if asked, as long as it was."""
    path = settings.current().archive_folder / file_path
    return path.is_file() and file_bytes in {None, path.stat().st_size}


def spool_folder() -> Path:
    """Return the folder for files that are being received; it is made if need be."""
    folder = settings.current().archive_folder / SPOOL
    with disk_errors():
        folder.mkdir(parents=True, exist_ok=True)
    return folder


class Spooled:
    """A file that is being received, in the file system of the archive; hashed as it is written.

    Parameters
    ----------
    owner
        Name of a folder in the spool; the file's name begins with it, and keeps it in the archive.

    Raises
    ------
    Unavailable
        From every method: if the disk is full or fails.
    """

    def __init__(self, owner: str = "") -> None:
        name = f"{owner}-{uuid4().hex}" if owner else uuid4().hex
        self.path = spool_folder() / owner / f"{name}.part"
        self._digest = hashlib.sha256()
        self._file_bytes = 0
        self._unwritten = bytearray()
        with disk_errors():
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)

    def write(self, piece: bytes | memoryview) -> None:
        """Append a piece; it reaches the disk with the block that it fills, or with `flush`.

        Each write and each digest gives the interpreter away to another thread, and with many senders the way
        back costs more than the copy.
        """
        self._unwritten += piece
        if len(self._unwritten) >= BLOCK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what has not been written yet, so that the file can be read by its path."""
        block, self._unwritten = self._unwritten, bytearray()
        with disk_errors():
            written = 0
            while written < len(block):
                written += os.write(self._descriptor, memoryview(block)[written:])
        self._digest.update(block)
        self._file_bytes += len(block)

    def keep(self, received_at: datetime) -> Kept:
        """Sync the file and give it its name in the archive.

        Notes
        -----
        The order matters: the bytes are synced before the name exists. The name itself survives a power cut
        only after `sync_names`, which the caller must call before it commits or answers.
        """
        self.flush()
        with disk_errors():
            os.fsync(self._descriptor)
            target = _day_folder(received_at.date()) / f"{self.path.stem}.dcm"
            self.path.rename(target)
        self._close()
        return Kept(_relative(target), self._digest.hexdigest(), self._file_bytes)

    def discard(self) -> None:
        """Delete the file, unless it has been kept."""
        self._close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)


def sync_names(kept: Iterable[Kept]) -> None:
    """Make sure that the names of kept files survive a power cut.

    Raises
    ------
    Unavailable
        If the disk fails.
    """
    with disk_errors():
        for folder in {settings.current().archive_folder / one.file_path.rpartition("/")[0] for one in kept}:
            _sync(folder)


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


def quarantine(kept: Kept) -> Kept:
    """Set a kept file aside, for a person to decide on it, and return where it is now.

    It is named after its content, so that a modality that tries again and again fills no disk.
    """
    folder = settings.current().archive_folder
    target = folder / QUARANTINE / f"{kept.sha256}.dcm"
    with disk_errors():
        if not target.parent.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync(folder)
        (folder / kept.file_path).rename(target)
        # Renaming one link of a file onto another of the same file does nothing (POSIX).
        (folder / kept.file_path).unlink(missing_ok=True)
        _sync(target.parent)
    return replace(kept, file_path=_relative(target))


def release(file_path: str, released_at: datetime, owner: str) -> Kept:
    """Give a quarantined file a place among the kept ones; it is still in the quarantine until removed.

    Parameters
    ----------
    owner
        Whose name the file gets, as those in the spool do: a receiver that starts would take a file without a
        living owner and without rows for one that was left behind, and move it away before its rows are there.

    Raises
    ------
    NotFound
        If there is no such file.
    Unavailable
        If the disk is full or fails.
    """
    source = path_of(file_path)
    with disk_errors():
        folder = _day_folder(released_at.date())
        target = folder / f"{owner}-{uuid4().hex}.dcm"
        try:
            os.link(source, target)
        except OSError:  # not every file system has links
            _copy(source, target, spool_folder() / owner / f"{target.stem}.part")
        _sync(folder)
    return describe(_relative(target))


def quarantined_files() -> list[str]:
    """Return the paths of all files in the quarantine."""
    folder = settings.current().archive_folder / QUARANTINE
    return [_relative(path) for path in sorted(folder.glob("*.dcm"))]


def files_since(day: date) -> Iterator[str]:
    """Yield the paths of all files kept on a day or later."""
    for folder in sorted(settings.current().archive_folder.glob("[0-9]*/[0-9]*/[0-9]*")):
        if "/".join(folder.parts[-3:]) >= f"{day:%Y/%m/%d}":
            yield from (_relative(path) for path in sorted(folder.glob("*.dcm")))


def _day_folder(day: date) -> Path:
    """Return the folder of a day, whose name and those of its parents have been synced.

    Each process syncs them once, whoever made them: that one may not have come to it yet, or never will.
    """
    folder = settings.current().archive_folder / f"{day:%Y/%m/%d}"
    if folder not in _synced or not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for parent in folder.parents[:4]:  # month, year, archive, and the data folder that names the archive
            _sync(parent)
        _synced.add(folder)
    return folder


def _copy(source: Path, target: Path, part: Path) -> None:
    """Copy a file by way of the spool: a crash must not leave half of it among the kept ones."""
    try:
        shutil.copyfile(source, part)
        _sync(part)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


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
