"""Leaks: the same patient, the same pixels, pixels that look the same, on both sides."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.worklist.evaluation.drawn import population
from worklist.dataset.pixels import Fingerprint, fingerprint, fingerprints, read_greys
from worklist.dataset.snapshot import Role
from worklist.evaluation import leaks
from worklist.synthetic.dataset import make_study


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """Four patients with a drawn radiograph each; two are fitted to, one tunes and one tests."""
    folder: Path = tmp_path_factory.mktemp("leaks")
    images, _ = population(4, views=1)
    roles = (Role.FIT, Role.FIT, Role.TUNE, Role.TEST)
    found = []
    for number, (image, role) in enumerate(zip(images, roles, strict=True)):
        path = folder / f"{number}.dcm"
        make_study("WRIST", seed=number)[0].save_as(path, enforce_file_format=True)
        found.append(replace(image, path=path, patient=f"p{number}", role=role))
    return found


def answered(images):
    labelled = leaks.as_labelled(images)
    prints = {image: found for image, found in fingerprints(labelled) if isinstance(found, Fingerprint)}
    assert len(prints) == len(labelled)
    return {test.key: test for test in leaks.leaks(labelled, prints)}


def test_strangers_pass(snapshot):
    assert {key: test.passed for key, test in answered(snapshot).items()} == {
        "patients": True,
        "copies": True,
        "alike": True,
    }


def test_a_patient_on_both_sides_is_told_by_an_image_and_not_by_an_id(snapshot):
    *rest, last = snapshot
    test = answered([*rest, replace(last, patient=snapshot[0].patient)])["patients"]
    assert test.passed is False
    assert "are of one patient" in test.figure
    assert "p0" not in test.figure


@pytest.mark.parametrize("place", [0, 2])
def test_a_copy_is_found_whether_it_was_fitted_to_or_tuned_with(snapshot, place):
    *rest, last = snapshot
    test = answered([*rest, replace(last, path=snapshot[place].path)])["copies"]
    assert test.passed is False
    assert test.figure.startswith("1 pairs of images with the same pixels, such as: ")


def test_a_copy_that_was_scaled_is_found(snapshot, tmp_path):
    *rest, last = snapshot
    greys = np.uint8(read_greys(snapshot[1].path) * 255)
    small = Image.fromarray(greys).resize((greys.shape[1] * 6 // 10, greys.shape[0] * 6 // 10))
    small.save(tmp_path / "copy.png")
    test = answered([*rest, replace(last, path=tmp_path / "copy.png")])["alike"]
    assert test.passed is False
    assert "bits differ" in test.figure


def test_blank_images_are_no_copies(snapshot):
    labelled = leaks.as_labelled(snapshot)
    blank = fingerprint(np.zeros((8, 8), np.float32))
    found = leaks.leaks(labelled, dict.fromkeys(labelled, blank))
    assert all(test.passed for test in found)
