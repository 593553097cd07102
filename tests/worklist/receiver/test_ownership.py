"""Several receivers on one archive: what belongs to a living one is left alone, what a dead one left is not."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.worklist.datasets import make_radiograph, write
from tests.worklist.receiver.modality import Site
from worklist import archive, clock, database, settings
from worklist.archive import Spooled
from worklist.errors import Unavailable
from worklist.receiver import ownership, recovery
from worklist.tables import Instance


def spool() -> Path:
    return settings.current().archive_folder / "spool"


@contextmanager
def another_receiver() -> Iterator[str]:
    """Be another receiver on the archive, and yield its name."""
    with ownership.own_spool(is_alone=False):
        yield ownership.own_name()


def begun(owner: str) -> Path:
    spooled = Spooled(owner)
    spooled.write(b"half an image")
    return spooled.path


def kept(tmp_path: Path, owner: str, days_ago: int = 0) -> str:
    """Put a file into the archive without rows, as a receiver does before it commits."""
    spooled = Spooled(owner)
    spooled.write(write(make_radiograph(), tmp_path / "image.dcm").read_bytes())
    return spooled.keep(clock.now() - timedelta(days=days_ago)).file_path


def listed() -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Instance.file_path).order_by(Instance.id)))


@pytest.mark.usefixtures("site")
def test_receivers_share_an_archive_unless_one_has_to_be_alone() -> None:
    with another_receiver(), another_receiver(), pytest.raises(Unavailable, match="need PostgreSQL"):
        ownership.own_spool(is_alone=True).__enter__()
    with ownership.own_spool(is_alone=True), pytest.raises(Unavailable, match="Another receiver already uses"):
        ownership.own_spool(is_alone=False).__enter__()


@pytest.mark.usefixtures("site")
def test_start_clears_what_a_dead_receiver_was_receiving_and_nothing_else() -> None:
    with another_receiver() as dead:
        left = begun(dead)
    with another_receiver() as living:
        coming = begun(living)
        recovery.recover()
        assert not left.parent.exists()
        assert coming.exists()
        assert [path.name for path in spool().iterdir() if path.is_dir()] == [living]


@pytest.mark.usefixtures("site", "sent_jobs")
def test_image_on_its_way_over_the_web_is_left_alone(tmp_path: Path) -> None:
    web = ownership.own_name()  # no receiver, but a process that keeps an image
    coming, about_to_be_registered = begun(web), kept(tmp_path, web)
    recovery.recover()
    assert coming.exists()
    assert archive.has(about_to_be_registered)
    assert listed() == []


@pytest.mark.usefixtures("site")
def test_spool_folder_without_its_lock_is_cleared() -> None:
    with another_receiver() as dead:
        left = begun(dead)
    (spool() / f"{dead}.lock").unlink()
    recovery.recover()
    assert not left.parent.exists()


@pytest.mark.usefixtures("site")
def test_file_from_before_receivers_had_folders_is_cleared() -> None:
    left = begun("")
    recovery.recover()
    assert not left.exists()


@pytest.mark.usefixtures("site", "sent_jobs")
def test_file_that_a_living_receiver_is_about_to_register_is_not_adopted(tmp_path: Path) -> None:
    with another_receiver() as other:
        path = kept(tmp_path, other)
        recovery.recover()
        assert listed() == []
    recovery.recover()
    assert listed() == [path]


@pytest.mark.usefixtures("site", "sent_jobs")
def test_file_of_a_receiver_that_died_long_ago_is_adopted(tmp_path: Path) -> None:
    with another_receiver() as recent:
        newest = kept(tmp_path, recent)
    recovery.recover()
    with another_receiver() as dead:
        path = kept(tmp_path, dead, days_ago=40)
    long_ago = (clock.now() - timedelta(days=40)).timestamp()
    os.utime(spool() / f"{dead}.lock", (long_ago, long_ago))
    recovery.recover()
    assert listed() == [newest, path]


def test_receiver_whose_archive_was_mounted_over_takes_a_new_folder(receiving: Site) -> None:
    before = ownership.own_name()
    shutil.rmtree(settings.current().archive_folder)
    assert receiving.store(make_radiograph()).Status == 0
    assert ownership.own_name() != before
    assert ownership.is_alive(ownership.own_name())
    assert archive.has(receiving.instances()[0].file_path)
