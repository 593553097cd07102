"""Greys of labelled images, and fingerprints that know an image again."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.worklist.dataset.folders import Drawn, put
from worklist.dataset.duplicates import MOST_DIFFERENT_BITS
from worklist.dataset.pixels import Fingerprint, Unreadable, fingerprint, fingerprints, read_greys
from worklist.dataset.synthesis import write_picture
from worklist.synthetic import draw_radiograph

GREYS = draw_radiograph("WRIST", "PA", seed=4, size=(160, 128)).displayed_greys


def written(path: Path, picture: Image.Image) -> Path:
    picture.save(path)
    return path


def different_bits(one: Fingerprint, other: Fingerprint) -> int:
    pair = (np.frombuffer(found.likeness, np.uint8) for found in (one, other))
    return int(np.bitwise_count(np.bitwise_xor(*pair)).sum())


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_greys_are_the_same_in_one_and_more_channels(tmp_path: Path, mode: str) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = written(tmp_path / "image.png", Image.fromarray(ramp).convert(mode))
    assert np.array_equal(read_greys(path), ramp.astype(np.float32) / np.float32(255))


def test_16_bit_keep_their_depth(tmp_path: Path) -> None:
    values = np.array([[0, 1, 65534, 65535]], np.uint16)
    greys = read_greys(written(tmp_path / "image.png", Image.fromarray(values)))
    assert np.array_equal(np.round(greys * 65535), values)
    assert greys.max() == 1


def test_dicom_file_goes_through_the_grey_pipeline_whatever_its_name(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    put(tmp_path, "b.png", PhotometricInterpretation="MONOCHROME1", SeriesDescription="a")
    values = np.random.default_rng(sum(b"a.png")).integers(0, 4096, (8, 8), dtype=np.uint16)
    greys = read_greys(tmp_path / "a.png")
    assert np.array_equal(np.argsort(greys, None)[8:-8], np.argsort(values, None)[8:-8])
    inverted = np.random.default_rng(sum(b"b.png")).integers(0, 4096, (8, 8), dtype=np.uint16)
    assert read_greys(tmp_path / "b.png")[np.unravel_index(inverted.argmax(), (8, 8))] == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda whole: b"", "the file is empty"),
        (lambda whole: whole[: len(whole) // 2], "truncated"),
        (lambda whole: whole[:100] + bytes(200) + whole[300:], "broken"),
        (lambda whole: b"<html>", "it is no PNG, JPEG or DICOM file"),
        (lambda whole: bytes(128) + b"DICM" + bytes(50), "its header|no image|pixel|SOP|transfer syntax"),
    ],
    ids=["empty", "truncated", "damaged", "page", "DICOM"],
)
def test_what_is_no_whole_image_is_refused_with_the_reason(
    tmp_path: Path, content: Callable[[bytes], bytes], said: str
) -> None:
    path = tmp_path / "image.png"
    write_picture(path, GREYS)
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(Unreadable, match=said):
        read_greys(path)


def test_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"^No such file or directory$"):
        read_greys(tmp_path / "gone.png")


def jpeg(picture: Image.Image) -> Image.Image:
    file = BytesIO()
    picture.save(file, "JPEG", quality=40)
    return Image.open(file)


@pytest.mark.parametrize(
    "export",
    [
        jpeg,
        lambda picture: picture.resize((77, 96), Image.Resampling.LANCZOS),
        lambda picture: picture.point(lambda grey: min(255, int(grey * 1.1 + 8))),
    ],
    ids=["JPEG", "smaller", "brighter"],
)
def test_another_export_of_an_image_looks_like_it_and_has_other_pixels(
    tmp_path: Path, export: Callable[[Image.Image], Image.Image]
) -> None:
    write_picture(tmp_path / "image.png", GREYS)
    with Image.open(tmp_path / "image.png") as picture:
        written(tmp_path / "export.png", export(picture))
    one, other = (fingerprint(read_greys(tmp_path / name)) for name in ("image.png", "export.png"))
    assert one.pixels != other.pixels
    assert different_bits(one, other) <= MOST_DIFFERENT_BITS


def test_two_patients_do_not_look_alike(drawn: Drawn) -> None:
    seen = [(image.patient, found) for image, found in fingerprints(drawn.images)]
    for place, (patient, one) in enumerate(seen):
        for other_patient, other in seen[:place]:
            if patient != other_patient:
                assert different_bits(one, other) > MOST_DIFFERENT_BITS


def test_same_greys_in_another_shape_are_another_image() -> None:
    assert fingerprint(GREYS).pixels != fingerprint(GREYS.reshape(GREYS.shape[::-1])).pixels


def test_blank_image_is_known_as_such() -> None:
    assert fingerprint(np.full((20, 20), 0.5, np.float32)).is_blank
    assert not fingerprint(GREYS).is_blank


def test_every_image_comes_back_in_order_the_unreadable_ones_too(copy: Drawn) -> None:
    copy.images[7].path.unlink()
    opened = list(fingerprints(copy.images))
    assert [image for image, _ in opened] == copy.images
    assert [place for place, (_, found) in enumerate(opened) if isinstance(found, Unreadable)] == [7]


def test_a_failure_to_read_one_image_keeps_no_other_from_being_read(copy: Drawn) -> None:
    images = [replace(copy.images[0], path=copy.folder), copy.images[1]]
    (_, first), (_, second) = fingerprints(images)
    assert str(first) == "Is a directory"
    assert isinstance(second, Fingerprint)
