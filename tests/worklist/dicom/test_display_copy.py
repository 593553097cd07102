"""The two files that the viewer fetches."""

import json
from pathlib import Path

import numpy as np
import pytest
import zstandard
from numpy.testing import assert_array_equal

from tests.worklist.dicom.images import make_dataset, ramp
from worklist.dicom.display_copy import (
    NoDisplayCopy,
    description_path,
    pixels_path,
    read_display_copy,
    write_display_copy,
)
from worklist.dicom.pixels import DisplayedGreys, displayed_greys


@pytest.fixture
def displayed() -> DisplayedGreys:
    """An image with everything that a copy has to keep."""
    return displayed_greys(
        make_dataset(
            ramp(0, 4095), bits_stored=12, photometric="MONOCHROME1",
            WindowCenter=1500.5, WindowWidth=1000, ImagerPixelSpacing=[0.1, 0.2],
        )
    )  # fmt: skip


def test_a_copy_read_back_is_the_image_that_was_written(displayed: DisplayedGreys, tmp_path: Path) -> None:
    write_display_copy(displayed, tmp_path / "day" / "17")
    copy = read_display_copy(tmp_path / "day" / "17")
    assert_array_equal(copy.greys, displayed.greys)
    assert copy.window == displayed.window
    assert (copy.spacing_mm, copy.spacing_kind) == (displayed.spacing_mm, displayed.spacing_kind)
    assert (copy.minimum, copy.maximum, copy.notes) == (0, 4095, displayed.notes)


def test_the_greys_are_a_response_body_that_a_browser_can_decompress(
    displayed: DisplayedGreys, tmp_path: Path
) -> None:
    write_display_copy(displayed, tmp_path / "17")
    octets = zstandard.ZstdDecompressor().decompress(pixels_path(tmp_path / "17").read_bytes())
    assert octets == displayed.greys.astype("<u2").tobytes()


def test_the_description_has_the_names_that_the_viewer_reads(displayed: DisplayedGreys, tmp_path: Path) -> None:
    write_display_copy(displayed, tmp_path / "17")
    description = json.loads(description_path(tmp_path / "17").read_text())
    assert description["rows"] == 20
    assert description["columns"] == 30
    assert description["window_width"] == 1000
    assert description["window_centre"] == 4095 - 1500.5 + 1
    assert description["pixel_spacing_mm"] == [0.1, 0.2]
    assert description["spacing_kind"] == "detector"
    assert description["invert"] is False


def test_an_image_without_spacing_says_so(tmp_path: Path) -> None:
    write_display_copy(displayed_greys(make_dataset(ramp(0, 9))), tmp_path / "17")
    assert json.loads(description_path(tmp_path / "17").read_text())["pixel_spacing_mm"] is None
    assert read_display_copy(tmp_path / "17").spacing_mm is None


def test_no_unfinished_file_is_left_behind(displayed: DisplayedGreys, tmp_path: Path) -> None:
    write_display_copy(displayed, tmp_path / "17")
    write_display_copy(displayed, tmp_path / "17")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["17.json", "17.zst"]


def test_a_copy_of_another_version_counts_as_none(displayed: DisplayedGreys, tmp_path: Path) -> None:
    write_display_copy(displayed, tmp_path / "17")
    file = description_path(tmp_path / "17")
    file.write_text(file.read_text().replace('"version": 1', '"version": 99'))
    with pytest.raises(NoDisplayCopy, match="version 99"):
        read_display_copy(tmp_path / "17")


def test_a_missing_copy_counts_as_none(tmp_path: Path) -> None:
    with pytest.raises(NoDisplayCopy):
        read_display_copy(tmp_path / "17")


@pytest.mark.parametrize("damage", [b"", b"not zstd at all", zstandard.compress(bytes(10_000_000))])
def test_damaged_greys_count_as_none(displayed: DisplayedGreys, tmp_path: Path, damage: bytes) -> None:
    write_display_copy(displayed, tmp_path / "17")
    pixels_path(tmp_path / "17").write_bytes(damage)
    with pytest.raises(NoDisplayCopy):
        read_display_copy(tmp_path / "17")


def test_a_damaged_description_counts_as_none(displayed: DisplayedGreys, tmp_path: Path) -> None:
    write_display_copy(displayed, tmp_path / "17")
    description_path(tmp_path / "17").write_text("[]")
    with pytest.raises(NoDisplayCopy):
        read_display_copy(tmp_path / "17")


def test_a_real_size_survives(tmp_path: Path) -> None:
    large = np.arange(1200 * 900, dtype=np.uint32).astype(np.uint16).reshape(1200, 900)
    write_display_copy(displayed_greys(make_dataset(large)), tmp_path / "17")
    assert read_display_copy(tmp_path / "17").greys.shape == (1200, 900)
