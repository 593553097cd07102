"""A disk that really is full: found before, in the middle of, and after an object."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worklist.datasets import make_radiograph
from tests.worklist.receiver.modality import Site
from worklist import settings
from worklist.receiver import spool
from worklist.receiver.statuses import Status

MEGABYTE = 1024**2


@pytest.fixture
def tiny_archive(receiving: Site) -> Iterator[Path]:
    """Put the archive on a file system of 4 MB; needs the right to mount one."""
    folder = settings.current().archive_folder
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.usefixtures("tiny_archive")
def test_disk_that_fills_up_in_the_middle_is_out_of_resources(receiving: Site) -> None:
    with receiving.association() as association:
        answer = association.send_c_store(make_radiograph(PixelData=bytes(6 * MEGABYTE)))
        assert answer.Status == Status.OUT_OF_RESOURCES
        assert answer.ErrorComment == "The archive disk failed: No space left on device."
        # The partial file is gone, so there is room again, and the association still works.
        assert receiving.spooled() == []
        assert association.send_c_store(make_radiograph()).Status == Status.SUCCESS


def test_disk_that_is_full_already_is_out_of_resources(receiving: Site, tiny_archive: Path) -> None:
    (tiny_archive / "filler").write_bytes(bytes(3 * MEGABYTE))
    with receiving.association() as association:
        large = make_radiograph(PixelData=bytes(2 * MEGABYTE))
        for _ in range(3):
            assert association.send_c_store(large).Status == Status.OUT_OF_RESOURCES
        (tiny_archive / "filler").unlink()
        assert association.send_c_store(large).Status == Status.SUCCESS
    assert (receiving.count(), receiving.spooled()) == (1, [])


def test_free_space_is_looked_at_again_while_a_large_object_arrives(
    receiving: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "SPACE_CHECK_BYTES", 100_000)
    looks: list[int] = []
    monkeypatch.setattr(spool.archive, "check_space", lambda: looks.append(1))
    assert receiving.store(make_radiograph(PixelData=bytes(1_000_000))).Status == Status.SUCCESS
    assert len(looks) > 5
