"""Squares: made once, as the classifier sees them, and damaged files are told."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.workers.training.tiny import SIZE_PX, tiny_images
from workers.crop import Crop
from workers.square import prepare
from workers.training.events import Cancelled, Watch
from workers.training.images import check_labels, prepare_squares
from worklist.dataset.pixels import read_greys
from worklist.dataset.snapshot import Role
from worklist.errors import Invalid, Unavailable


def test_square_is_what_the_classifier_will_see(squares):
    for square in squares[:3]:
        stored = cv2.imread(str(square.path), cv2.IMREAD_GRAYSCALE)
        seen = prepare(read_greys(square.image.path), SIZE_PX).square
        assert np.abs(stored / 255 - seen).max() <= 0.5 / 255 + 1e-6


def test_squares_stay_and_are_not_made_again(images, squares, cache):
    before = {square.path: square.path.stat().st_mtime_ns for square in squares}
    again = prepare_squares(images, SIZE_PX, cache, Watch())
    assert {square.path: square.path.stat().st_mtime_ns for square in again} == before


def test_unreadable_images_are_told_and_left_out(tmp_path):
    first, second, third, *rest = tiny_images(tmp_path, fit=3, tune=0, test=0)
    first.path.write_bytes(b"no picture")
    second.path.write_bytes(third.path.read_bytes()[:200])
    missing = replace(third, path=tmp_path / "missing.png")
    told = []
    squares = prepare_squares([first, second, missing, *rest], SIZE_PX, tmp_path / "cache", Watch(told.append))
    assert [square.image for square in squares] == rest
    messages = [event.message for event in told if event.message]
    assert messages[0] == f"{first.name} is left out: it is no PNG, JPEG or DICOM file."
    assert messages[1].startswith(f"{second.name} is left out: ")
    assert messages[2] == f"{third.name} is left out: No such file or directory."
    assert not any(str(tmp_path) in message for message in messages)


def test_cache_that_cannot_be_written_ends_the_run_and_leaves_no_image_out(images, tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    told = []
    with pytest.raises(Unavailable, match="cannot be written: Not a directory"):
        prepare_squares(images, SIZE_PX, tmp_path / "cache", Watch(told.append))
    assert told == []


def test_stopping_is_heard_while_images_are_prepared(images, tmp_path):
    asked = iter([False, False, True])
    with pytest.raises(Cancelled, match="images stage, 3 of 56"):
        prepare_squares(images, SIZE_PX, tmp_path, Watch(should_stop=lambda: next(asked)))


def test_snapshot_without_both_labels_to_fit_to_is_refused(images):
    normal = [image for image in images if image.role is Role.FIT and not image.is_abnormal]
    tune = [image for image in images if image.role is Role.TUNE]
    with pytest.raises(Invalid, match="Of 16 readable images to fit to, no body part has normal and abnormal"):
        check_labels([*normal, *tune])


def test_snapshot_without_both_labels_to_tune_with_is_refused(images):
    kept = [image for image in images if image.role is not Role.TUNE or image.is_abnormal]
    with pytest.raises(Invalid, match="Of 8 readable images to tune with, 8 are abnormal"):
        check_labels(kept)


def test_crop_that_a_reader_drew_is_learnt_from_and_never_measured_with(tmp_path):
    fit, other, *_ = tiny_images(tmp_path, fit=1, tune=1, test=0)
    tune = replace(other, role=Role.TUNE)
    drawn = (20, 10, 40, 60)
    told = []
    plain = prepare_squares([fit, tune], SIZE_PX, tmp_path / "cache", Watch())
    cropped = prepare_squares(
        [replace(fit, crop=drawn), replace(tune, crop=drawn)], SIZE_PX, tmp_path / "cache", Watch(told.append)
    )
    stored = cv2.imread(str(cropped[0].path), cv2.IMREAD_GRAYSCALE)
    expected = prepare(read_greys(fit.path), SIZE_PX, Crop(*drawn)).square
    assert np.abs(stored / 255 - expected).max() <= 0.5 / 255 + 1e-6
    # The same file with two crops is two images for every cache.
    assert cropped[0].sha256 != plain[0].sha256
    assert cropped[1].path == plain[1].path
    assert "1 images to learn from are cropped as their readers drew it." in [event.message for event in told]


def test_crop_beyond_the_image_is_told_and_the_image_left_out(tmp_path):
    image, *_ = tiny_images(tmp_path, fit=1, tune=0, test=0)
    told = []
    outside = replace(image, crop=(60, 0, 40, 40))
    assert prepare_squares([outside], SIZE_PX, tmp_path / "cache", Watch(told.append)) == []
    assert any("leaves the image of shape (96, 96)" in event.message for event in told)
