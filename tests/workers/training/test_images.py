"""Squares: made once, as the classifier sees them, and damaged files are told."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.workers.training.tiny import SIZE_PX, tiny_images
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
