from dataclasses import replace
from pathlib import Path

import pytest

from worklist.dataset.snapshot import Role, SnapshotImage, digest, read_snapshot, write_snapshot
from worklist.errors import Invalid, Unavailable
from worklist.tables import BodyPart

IMAGES = [
    SnapshotImage(
        Path(f"/data/{name}.png"), name, BodyPart.WRIST, f"p{name}", f"s{name}", name == "b", Role.FIT
    )
    for name in ("b", "a")
]


def test_it_reads_what_it_wrote_and_the_order_does_not_matter(tmp_path: Path) -> None:
    sha256 = write_snapshot(tmp_path / "one", IMAGES)
    assert write_snapshot(tmp_path / "two", reversed(IMAGES)) == sha256
    assert digest(IMAGES) == sha256
    assert read_snapshot(tmp_path / "one", sha256=sha256) == sorted(IMAGES, key=lambda image: image.name)


def test_crop_is_kept_and_a_snapshot_without_crops_stays_what_it_was(tmp_path: Path) -> None:
    drawn = [replace(IMAGES[0], crop=(1, 2, 30, 40)), IMAGES[1]]
    sha256 = write_snapshot(tmp_path / "one", drawn)
    assert [image.crop for image in read_snapshot(tmp_path / "one", sha256=sha256)] == [None, (1, 2, 30, 40)]
    assert sha256 != digest(IMAGES)
    write_snapshot(tmp_path / "two", IMAGES)
    assert "crop" not in (tmp_path / "two").read_text()


def test_it_refuses_a_file_that_was_changed(tmp_path: Path) -> None:
    sha256 = write_snapshot(tmp_path / "one", IMAGES)
    with (tmp_path / "one").open("a") as file:
        file.write("\n")
    with pytest.raises(Invalid, match="was changed"):
        read_snapshot(tmp_path / "one", sha256=sha256)


@pytest.mark.parametrize("content", ["{}", "nothing", '{"name": 1}'])
def test_it_refuses_what_is_no_snapshot(tmp_path: Path, content: str) -> None:
    (tmp_path / "one").write_text(content)
    with pytest.raises(Invalid, match="is no snapshot"):
        read_snapshot(tmp_path / "one")


def test_it_says_that_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        read_snapshot(tmp_path / "one")
