"""Which process a file belongs to, so that several can work on one archive at the same time.

Each receiver, and each web server that images come to or are filed by, has a folder of its own in the spool,
and beside it a lock that the kernel lets go when the process ends, however that happens. The folder's name is
the beginning of the names of its files, in the spool and later in the archive. So whoever starts knows of each
file without rows whether a dead process left it, or a living one is about to register it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import IO
from uuid import uuid4

from worklist import archive
from worklist.errors import Unavailable

RECEIVERS = "receiver.lock"
START = "start.lock"
NAME_LENGTH = 12
NAMES = "?" * NAME_LENGTH


@dataclass
class _Own:
    """The spool folder of this process, and the lock that says that it lives."""

    name: str
    lock: int


@dataclass(frozen=True)
class Dead:
    """Receivers that ended, and when the first of them had started."""

    names: frozenset[str] = frozenset()
    first_started_at: datetime | None = None


_owns: list[_Own] = []
"""One for each receiver of this process, the newest last; none in a process that has kept nothing yet."""
_claiming = Lock()


@contextmanager
def own_spool(*, is_alone: bool) -> Iterator[None]:
    """Have a spool folder that belongs to this process.

    Parameters
    ----------
    is_alone
        Allow no other receiver on this archive.

    Raises
    ------
    Unavailable
        If another receiver uses the archive and one of the two has to be alone.
    """
    folder = archive.spool_folder()
    with (folder / RECEIVERS).open("ab") as lock:
        if not _locked(lock, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH):
            raise Unavailable(
                f"Another receiver already uses the archive {folder.parent}; several at once need PostgreSQL "
                "(WORKLIST_DATABASE_URL)."
            )
        own = _claim(folder)
        _owns.append(own)
        try:
            yield
        finally:
            _owns.remove(own)
            os.close(own.lock)


def own_name() -> str:
    """Return the name of this process's spool folder, which is there.

    A process that is no receiver, but keeps images that come over the web or leave the quarantine, has one from
    its first image on.
    """
    folder = archive.spool_folder()
    with _claiming:
        if not _owns:
            _owns.append(_claim(folder))
        own = _owns[-1]
        if not (folder / own.name).is_dir():
            # Another disk was mounted over the archive: without a lock on it, others would take us for dead.
            os.close(own.lock)
            own.name, own.lock = (claimed := _claim(folder)).name, claimed.lock
        return own.name


@contextmanager
def dead_receivers() -> Iterator[Dead]:
    """Yield the receivers that are no more; clear away what they were receiving on leaving.

    A file in the spool was never acknowledged: the modality sends it again. Receivers that start at the same
    moment wait for each other here.
    """
    folder = archive.spool_folder()
    with ExitStack() as held:
        fcntl.flock(held.enter_context((folder / START).open("ab")), fcntl.LOCK_EX)
        starts: dict[str, datetime] = {}
        for path in folder.glob(f"{NAMES}.lock"):
            lock = held.enter_context(path.open("rb"))
            # Held to the end: a receiver that is just about to lock its new file has to take another name.
            if _locked(lock, fcntl.LOCK_EX):
                starts[path.stem] = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        yield Dead(frozenset(starts), min(starts.values(), default=None))
        for name in starts:
            (folder / f"{name}.lock").unlink(missing_ok=True)
        # A power cut may lose the lock of a folder; while its owner lives, it is there.
        for path in folder.glob(NAMES):
            if not (folder / f"{path.name}.lock").exists():
                shutil.rmtree(path, ignore_errors=True)
        # Files from before each receiver had its folder.
        for path in folder.glob("*.part"):
            path.unlink(missing_ok=True)


def is_alive(owner: str) -> bool:
    """Say if a receiver is still running; nobody has no name and does not."""
    try:
        with (archive.spool_folder() / f"{owner}.lock").open("rb") as lock:
            return not _locked(lock, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def owner_of(file_path: str) -> str:
    """Return the receiver that a kept file is named after; empty if it has no owner."""
    owner, _, rest = file_path.rpartition("/")[2].partition("-")
    return owner if rest else ""


def _claim(folder: Path) -> _Own:
    while True:
        name = uuid4().hex[:NAME_LENGTH]
        with archive.disk_errors():
            lock = os.open(folder / f"{name}.lock", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        # Whoever looks between the two steps takes us for dead and removes the file: then once more.
        if _locked(lock, fcntl.LOCK_EX) and os.fstat(lock).st_nlink:
            with archive.disk_errors():
                (folder / name).mkdir()
            return _Own(name, lock)
        os.close(lock)


def _locked(lock: int | IO[bytes], kind: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
        return True
    return False
