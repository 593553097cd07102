"""Files that are kept: found again, set aside for a person to decide on, released, removed."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

from worklist import settings
from worklist.archive.spooled import (
    BLOCK_BYTES,
    Kept,
    _day_folder,
    _relative,
    _sync,
    disk_errors,
    spool_folder,
)
from worklist.errors import Invalid, NotFound

QUARANTINE = "quarantine"


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
