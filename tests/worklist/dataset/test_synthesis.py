"""Drawn data sets: MURA's paths and lists, and nothing that a measurement could trip over."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.worklist.dataset.folders import Drawn
from worklist.dataset.record import Split, studies
from worklist.dataset.synthesis import synthesize
from worklist.errors import Invalid
from worklist.tables import BodyPart


def test_lists_have_the_form_of_mura(drawn: Drawn) -> None:
    image = r"MURA-v1\.1/train/XR_[A-Z]+/patient\d{5}/study\d_(positive|negative)/image\d\.png"
    for line in (drawn.folder / "train_image_paths.csv").read_text().splitlines():
        assert re.fullmatch(image, line)
    study = r"MURA-v1\.1/valid/XR_[A-Z]+/patient\d{5}/study\d_((positive/,1)|(negative/,0))"
    for line in (drawn.folder / "valid_labeled_studies.csv").read_text().splitlines():
        assert re.fullmatch(study, line)


def test_each_body_part_has_both_labels_in_each_split_and_no_patient_is_in_both(drawn: Drawn) -> None:
    found = {(study.split, study.body_part, study.is_abnormal) for study in studies(drawn.images)}
    for split in (Split.TRAIN, Split.VALID):
        assert {(split, part, label) for part in BodyPart for label in (True, False)} <= found
    train, valid = (
        {image.patient for image in drawn.images if image.split is split}
        for split in (Split.TRAIN, Split.VALID)
    )
    assert (len(train), len(valid), train & valid) == (28, 14, set())


def test_images_are_8_bit_with_one_or_three_channels_and_of_the_size_asked_for(drawn: Drawn) -> None:
    modes, longest = set(), set()
    for image in drawn.images:
        with Image.open(image.path) as picture:
            modes.add(picture.mode)
            longest.add(max(picture.size))
    assert (modes, longest) == ({"L", "RGB"}, {96})


def test_same_arguments_draw_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    first, second, other = (
        [
            image.path.read_bytes()
            for image in synthesize(tmp_path / name / "A", patients=1, longest_px=64, seed=seed)
        ]
        for name, seed in (("1", 1), ("2", 1), ("3", 2))
    )
    assert first == second
    assert not set(first) & set(other)


def test_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(Invalid, match="is not an empty folder"):
        synthesize(tmp_path, patients=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
