"""MURA's layout: what the lists say is read, and whatever else there is is told."""

import shutil
from pathlib import Path

import pytest

from tests.worklist.dataset.folders import Drawn, read_mura
from worklist.dataset.faults import FaultKind
from worklist.dataset.layouts import labelled_folder
from worklist.dataset.record import Split
from worklist.errors import Invalid
from worklist.intake import scope
from worklist.tables import BodyPart

TRAIN_IMAGES, TRAIN_LABELS = "train_image_paths.csv", "train_labeled_studies.csv"


def test_every_listed_image_is_read_and_nothing_is_told(drawn: Drawn) -> None:
    found = read_mura(drawn.folder)
    assert found.images == drawn.images
    assert found.faults == []


def test_path_says_body_part_patient_study_and_label(drawn: Drawn) -> None:
    first = read_mura(drawn.folder).images[0]
    assert first.name == "train/XR_ELBOW/patient00001/study1_negative/image1.png"
    assert first.path == drawn.folder / first.name
    assert (first.body_part, first.patient, first.split) == (BodyPart.ELBOW, "patient00001", Split.TRAIN)
    assert first.study == "train/XR_ELBOW/patient00001/study1_negative"
    assert not first.is_abnormal


def test_copy_under_another_name_is_read_too(copy: Drawn) -> None:
    moved = copy.folder.rename(copy.folder.with_name("mura"))
    found = read_mura(moved)
    assert found.images == copy.moved(moved).images
    assert found.faults == []


def test_lists_that_begin_at_the_split_and_that_a_windows_editor_saved_are_read_too(copy: Drawn) -> None:
    for path in copy.folder.glob("*.csv"):
        text = path.read_text().replace("MURA-v1.1/", "").replace("/", "\\").replace("\n", "\r\n")
        path.write_text("\ufeff" + text + "\r\n", newline="")
    found = read_mura(copy.folder)
    assert found.images == copy.images
    assert found.faults == []


def test_body_part_behind_a_link_is_read_too(copy: Drawn) -> None:
    (copy.folder / "train/XR_HAND").rename(copy.folder.parent / "hands")
    (copy.folder / "train/XR_HAND").symlink_to(copy.folder.parent / "hands")
    found = read_mura(copy.folder)
    assert (found.images, found.faults) == (copy.images, [])


def test_test_split_is_read_where_there_is_one(copy: Drawn) -> None:
    (copy.folder / "valid").rename(copy.folder / "test")
    for kind in ("image_paths", "labeled_studies"):
        text = (copy.folder / f"valid_{kind}.csv").read_text()
        (copy.folder / f"test_{kind}.csv").write_text(text.replace("/valid/", "/test/"))
        (copy.folder / f"valid_{kind}.csv").unlink()
    found = read_mura(copy.folder)
    assert found.faults == []
    assert {image.split for image in found.images} == {Split.TRAIN, Split.TEST}


def test_where_list_and_name_contradict_each_other_the_list_is_right(copy: Drawn) -> None:
    study = copy.images[0].study
    copy.edit(TRAIN_LABELS, f"{study}/,0", f"{study}/,1")
    found = read_mura(copy.folder)
    assert found.images[0].is_abnormal
    fault = found.only(FaultKind.CONTRADICTED)
    assert fault.path == study
    assert fault.sentence == (
        f"{study} is abnormal in {TRAIN_LABELS} and normal by its name; the list is taken."
    )


def test_study_without_a_label_takes_that_of_its_name_and_is_told_once(copy: Drawn) -> None:
    study = next(image.study for image in copy.images if image.is_abnormal)
    copy.edit(TRAIN_LABELS, f"MURA-v1.1/{study}/,1\n", "")
    found = read_mura(copy.folder)
    assert found.images == copy.images
    assert found.only(FaultKind.UNLABELLED).path == study


@pytest.mark.parametrize(
    ("label", "kind", "said"),
    [("0", FaultKind.REPEATED, "a second time"), ("1", FaultKind.CONTRADICTED, "the earlier one is taken")],
)
def test_second_label_of_a_study_is_told_and_the_first_is_kept(
    copy: Drawn, label: str, kind: FaultKind, said: str
) -> None:
    copy.append(TRAIN_LABELS, f"MURA-v1.1/{copy.images[0].study}/,{label}\n")
    found = read_mura(copy.folder)
    assert found.images == copy.images
    assert said in found.only(kind).sentence


@pytest.mark.parametrize("word", ["2", "", "positive", "1.5"])
def test_label_that_is_neither_0_nor_1_is_told_with_its_line(copy: Drawn, word: str) -> None:
    lines = len((copy.folder / TRAIN_LABELS).read_text().splitlines())
    copy.append(TRAIN_LABELS, f"MURA-v1.1/train/XR_HAND/patient00700/study1_negative/,{word}\n")
    sentence = read_mura(copy.folder).only(FaultKind.MALFORMED).sentence
    rule = f"has the label {word!r}; it must be 0 (normal) or 1 (abnormal)."
    assert sentence == f"Line {lines + 1} of {TRAIN_LABELS} {rule}"


@pytest.mark.parametrize(
    "line",
    [
        "MURA-v1.1/train/XR_FOOT/patient00001/study1_negative/image1.png",
        "MURA-v1.1/train/XR_HAND/patient00001/image1.png",
        "MURA-v1.1/train/XR_HAND/patient00001/study1_negative/",
        "\x00\ufffd",
        "path",
    ],
)
def test_path_of_another_form_is_told_with_its_line(copy: Drawn, line: str) -> None:
    (copy.folder / TRAIN_IMAGES).write_text(f"{line}\n{(copy.folder / TRAIN_IMAGES).read_text()}")
    found = read_mura(copy.folder)
    assert found.images == copy.images
    sentence = found.only(FaultKind.MALFORMED).sentence
    assert sentence.startswith(f"Line 1 of {TRAIN_IMAGES} has the path {line!r}, which is not of the form")


def test_image_of_valid_in_the_list_of_train_is_told_and_counts_once(copy: Drawn) -> None:
    copy.append(TRAIN_IMAGES, f"MURA-v1.1/{copy.images[-1].name}\n")
    found = read_mura(copy.folder)
    assert found.images == copy.images
    assert "which is not in train" in found.only(FaultKind.MALFORMED).sentence


def test_hidden_file_is_left_out_even_where_it_is_listed(copy: Drawn) -> None:
    name = f"{copy.images[0].study}/._image1.png"
    (copy.folder / name).write_bytes(b"\0\5\x16\7")
    copy.append(TRAIN_IMAGES, f"MURA-v1.1/{name}\n")
    found = read_mura(copy.folder)
    assert found.images == copy.images
    assert found.only(FaultKind.HIDDEN).path == name


def test_without_lists_the_folders_are_read_and_each_missing_list_is_told(copy: Drawn) -> None:
    for path in copy.folder.glob("*.csv"):
        path.unlink()
    (copy.folder / "train/notes.txt").write_text("mine")
    (copy.folder / copy.images[0].study / "._image1.png").write_bytes(b"\0")
    found = read_mura(copy.folder)
    assert sorted(found.images, key=lambda image: image.name) == sorted(
        copy.images, key=lambda image: image.name
    )
    missing = [path for kind, path in found.told() if kind is FaultKind.NO_LIST]
    assert missing == [f"{s}_{k}.csv" for s in ("train", "valid") for k in ("labeled_studies", "image_paths")]
    assert (FaultKind.UNLISTED, "train/notes.txt") in found.told()
    assert (FaultKind.HIDDEN, f"{copy.images[0].study}/._image1.png") in found.told()
    assert len(found.faults) == 6


def test_every_image_of_a_missing_folder_is_told(copy: Drawn) -> None:
    shutil.rmtree(copy.folder / "valid")
    found = read_mura(copy.folder)
    valid = [image.name for image in copy.images if image.split is Split.VALID]
    assert found.images == [image for image in copy.images if image.split is Split.TRAIN]
    assert found.told() == [(FaultKind.MISSING, name) for name in valid]


def test_folder_that_an_archive_was_unpacked_into_is_found(drawn: Drawn) -> None:
    source = labelled_folder(drawn.folder.parent, scope.judge)
    assert source.folder == drawn.folder
    assert list(source.images(lambda fault: None)) == drawn.images


def test_folder_of_neither_layout_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"neither the lists of MURA \(train_image_paths.csv\) nor a table"):
        labelled_folder(tmp_path, scope.judge)
