"""Files on disk: where they go, in which order, and what happens when the disk does not want them."""

import errno
import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.conftest import forget
from worklist import archive
from worklist.errors import Invalid, NotFound, Unavailable
from worklist.settings import Settings

MORNING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def spooled(content: bytes = b"an image") -> archive.Spooled:
    file = archive.Spooled()
    file.write(content)
    return file


def test_kept_file_is_found_again_with_its_hash_and_size(site: Settings) -> None:
    kept = spooled(b"abc").keep(MORNING)
    assert archive.path_of(kept.file_path).read_bytes() == b"abc"
    assert kept.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert kept.file_bytes == 3
    assert kept.file_path.startswith("2026/03/02/")
    assert archive.describe(kept.file_path) == kept


@pytest.mark.parametrize("pieces", [1, 3])
def test_content_is_what_was_written_in_one_block_or_in_several(site: Settings, pieces: int) -> None:
    piece = bytes(range(256)) * 2048  # half a block
    file = spooled(piece)
    for _ in range(pieces - 1):
        file.write(piece)
    file.flush()
    content = file.content
    assert isinstance(content, Path) == (pieces == 3)
    assert (content.read_bytes() if isinstance(content, Path) else content) == piece * pieces
    file.discard()
    assert not file.path.exists()


def test_kept_file_is_not_discarded(site: Settings) -> None:
    file = spooled()
    kept = file.keep(MORNING)
    file.discard()
    assert archive.path_of(kept.file_path).read_bytes() == b"an image"


def test_bytes_are_synced_before_the_name_exists_and_the_name_afterwards(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = spooled()
    steps: list[str] = []
    sync, rename = os.fsync, Path.rename

    def record_sync(descriptor: int) -> None:
        steps.append("sync file" if os.fstat(descriptor).st_size == 8 else "sync folder")
        sync(descriptor)

    def record_rename(old: Path, new: Path) -> Path:
        steps.append("rename")
        return rename(old, new)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "rename", record_rename)
    archive.sync_names([file.keep(MORNING)])
    # The folders of a new day are synced into their parents, too.
    assert [step for step in steps if step != "sync folder"] == ["sync file", "rename"]
    assert steps[-1] == "sync folder"
    assert steps[0] == "sync file"


def test_spool_lies_in_the_file_system_of_the_archive(site: Settings) -> None:
    assert archive.spool_folder().stat().st_dev == site.archive_folder.stat().st_dev


def test_too_little_free_space_refuses_with_both_figures(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKLIST_MINIMUM_FREE_BYTES", str(10**18))
    forget()
    with pytest.raises(Unavailable, match=r"GB free, less than the 1000000000.0 GB of WORKLIST_MINIMUM_FREE"):
        archive.check_space()


def test_failing_disk_is_unavailable_and_leaves_no_file(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = spooled()

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable, match="No space left on device"):
        file.keep(MORNING)
    assert list(archive.files_since(date(2026, 3, 2))) == []


def test_path_that_leads_out_of_the_archive_is_refused(site: Settings) -> None:
    for path in ("../worklist.sqlite", "/etc/passwd", "2026/../../worklist.sqlite"):
        with pytest.raises(Invalid, match="outside of the archive"):
            archive.path_of(path)


def test_missing_file_is_not_found(site: Settings) -> None:
    with pytest.raises(NotFound, match="missing in the archive"):
        archive.path_of("2026/03/02/none.dcm")


def test_files_since_a_day_leave_older_ones_out(site: Settings) -> None:
    older = spooled().keep(datetime(2025, 12, 31, 23, 59, tzinfo=UTC))
    newer = spooled().keep(MORNING)
    set_aside = archive.quarantine(spooled().keep(MORNING)).file_path
    assert list(archive.files_since(date(2026, 1, 1))) == [newer.file_path]
    assert list(archive.files_since(date(2025, 1, 1))) == [older.file_path, newer.file_path]
    assert archive.path_of(set_aside).is_file()


def test_released_file_is_in_both_places_until_it_is_removed_in_the_quarantine(site: Settings) -> None:
    held = archive.quarantine(spooled().keep(MORNING))
    released = archive.release(held.file_path, MORNING, "owner")
    assert released.file_path.startswith("2026/03/02/owner-")
    assert (released.sha256, released.file_bytes) == (held.sha256, held.file_bytes)
    assert list(archive.files_since(date(2025, 1, 1))) == [released.file_path]
    assert archive.quarantined_files() == [held.file_path]
    archive.remove(held.file_path)
    assert archive.has(released.file_path)


def test_released_file_that_is_set_aside_again_is_in_the_quarantine_only(site: Settings) -> None:
    held = archive.quarantine(spooled().keep(MORNING))
    assert archive.quarantine(archive.release(held.file_path, MORNING, "owner")) == held
    assert list(archive.files_since(date(2025, 1, 1))) == []
    assert archive.quarantined_files() == [held.file_path]


@pytest.fixture
def without_links(site: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file system that has no links, and the spool folder of an owner."""

    def refuse(*_arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    folder = archive.spool_folder() / "owner"
    folder.mkdir()
    return folder


def test_file_is_released_where_there_are_no_links(without_links: Path) -> None:
    held = archive.quarantine(spooled(b"abc").keep(MORNING))
    released = archive.release(held.file_path, MORNING, "owner")
    assert archive.path_of(released.file_path).read_bytes() == b"abc"
    assert released.sha256 == held.sha256
    assert list(without_links.iterdir()) == []


def test_half_a_copy_is_never_among_the_kept_files(
    without_links: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = archive.quarantine(spooled(b"abc").keep(MORNING))
    seen: list[list[str]] = []

    def fill_the_disk(_source: Path, target: Path) -> None:
        target.write_bytes(b"a")
        seen.append(list(archive.files_since(date(2025, 1, 1))))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fill_the_disk)
    with pytest.raises(Unavailable, match="No space left"):
        archive.release(held.file_path, MORNING, "owner")
    assert seen == [[]]
    assert list(archive.files_since(date(2025, 1, 1))) == list(without_links.iterdir()) == []


def test_archive_folder_that_cannot_be_made_is_unavailable(site: Settings) -> None:
    site.archive_folder.write_text("a file where the folder should be")
    with pytest.raises(Unavailable, match="archive disk failed"):
        archive.Spooled()


def test_removed_file_may_be_removed_again(site: Settings) -> None:
    kept = spooled().keep(MORNING)
    archive.remove(kept.file_path)
    archive.remove(kept.file_path)
    assert not archive.has(kept.file_path)
    shutil.rmtree(site.archive_folder)
    assert list(archive.files_since(date(2026, 1, 1))) == []
