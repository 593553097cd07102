"""Files on their way into the archive: spooled, synced, and renamed into place."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

from worklist import settings
from worklist.errors import Unavailable

SPOOL = "spool"
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


def spool_folder() -> Path:
    """Return the folder for files that are being received; it is made if need be."""
    folder = settings.current().archive_folder / SPOOL
    if not folder.is_dir():
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
        self._only_block: bytearray | None = None
        self._is_kept = False
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
        if not block:
            return
        self._only_block = None if self._file_bytes else block
        with disk_errors():
            written = 0
            while written < len(block):
                written += os.write(self._descriptor, memoryview(block)[written:])
        self._digest.update(block)
        self._file_bytes += len(block)

    @property
    def content(self) -> bytearray | Path:
        """What has been flushed: itself if it is a single block, else where it is to be read."""
        return self.path if self._only_block is None else self._only_block

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
        self._is_kept = True
        self._close()
        return Kept(_relative(target), self._digest.hexdigest(), self._file_bytes)

    def discard(self) -> None:
        """Delete the file, unless it has been kept."""
        self._close()
        if not self._is_kept:
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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _relative(path: Path) -> str:
    return path.relative_to(settings.current().archive_folder).as_posix()
