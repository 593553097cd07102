"""The numbers of a folder that the test knows, and every planted fault told where it was planted."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.worklist.dataset.folders import Drawn, label, put
from worklist.dataset.duplicates import DuplicateKind
from worklist.dataset.faults import FaultKind
from worklist.dataset.layouts import labelled_folder
from worklist.dataset.record import Split
from worklist.dataset.report import as_json, as_text
from worklist.dataset.summary import Summary, summarise
from worklist.dataset.traps import plant
from worklist.errors import Invalid
from worklist.intake import scope
from worklist.tables import BodyPart


def summary_of(folder: Path, *, is_quick: bool = False) -> Summary:
    return summarise(labelled_folder(folder, scope.judge), is_quick=is_quick)


def made(folder: Path, counts: dict[tuple[Split, BodyPart], tuple[int, int]]) -> Path:
    """Make a folder of so many normal and abnormal images, all empty: two in a study, a study for a patient."""
    patient = 0
    for (split, part), of_label in counts.items():
        for is_abnormal, images in zip((False, True), of_label, strict=True):
            word = "positive" if is_abnormal else "negative"
            for number in range(images):
                patient += 1 - number % 2
                study = f"{split}/XR_{part}/patient{patient:05}/study1_{word}"
                (folder / study).mkdir(parents=True, exist_ok=True)
                (folder / study / f"image{number % 2}.png").touch()
                with (folder / f"{split}_image_paths.csv").open("a") as file:
                    file.write(f"MURA-v1.1/{study}/image{number % 2}.png\n")
                if number % 2 == 0:
                    with (folder / f"{split}_labeled_studies.csv").open("a") as file:
                        file.write(f"MURA-v1.1/{study}/,{int(is_abnormal)}\n")
    return folder


COUNTS = {(Split.TRAIN, part): (2 * n + 3, n + 1) for n, part in enumerate(BodyPart)}
COUNTS |= {(Split.VALID, BodyPart.WRIST): (4, 3)}
TABLE = """\
images    train normal  train abnormal  valid normal  valid abnormal
ELBOW                3               1             0               0
FINGER               5               2             0               0
FOREARM              7               3             0               0
HAND                 9               4             0               0
HUMERUS             11               5             0               0
SHOULDER            13               6             0               0
WRIST               15               7             4               3
all                 63              28             4               3

       images  studies  abnormal studies  patients  unreadable images
train      91       51                16        51         not opened
valid       7        4                 2         4         not opened

Duplicates
  patients in more than one split: 0
  images with the same pixels in more than one split: not looked for, since no image was opened
  images that look alike in more than one split: not looked for, since no image was opened
  images with the same pixels within a split: not looked for, since no image was opened

Faults: none"""


def test_table_has_the_numbers_of_the_folder(tmp_path: Path) -> None:
    folder = made(tmp_path / "MURA-v1.1", COUNTS)
    assert as_text(summary_of(folder, is_quick=True)) == f"{folder} (MURA)\n\n{TABLE}"


def test_unreadable_images_count_and_are_told_one_by_one(tmp_path: Path) -> None:
    folder = made(tmp_path / "MURA-v1.1", {(Split.VALID, BodyPart.HAND): (2, 1)})
    found = summary_of(folder)
    assert found.splits[Split.VALID].images == found.splits[Split.VALID].unreadable == 3
    assert found.images[Split.VALID, BodyPart.HAND, False] == 2
    assert found.faults[0].sentence == (
        "valid/XR_HAND/patient00001/study1_negative/image0.png cannot be read: the file is empty."
    )
    assert [fault.kind for fault in found.faults] == [FaultKind.UNREADABLE] * 3


def test_drawn_data_set_has_no_fault_and_no_duplicate(drawn: Drawn) -> None:
    found = summary_of(drawn.folder)
    assert (found.faults, found.duplicates) == ([], [])
    assert found.splits[Split.TRAIN].patients == 28
    assert found.images == Counter((image.split, image.body_part, image.is_abnormal) for image in drawn.images)


def test_every_planted_fault_is_told_where_it_was_planted_and_nothing_else(copy: Drawn) -> None:
    planted = plant(copy.folder, copy.images)
    found = summary_of(copy.folder)
    told = [(fault.kind, fault.path) for fault in found.faults]
    told += [(item.kind, item.second.name) for item in found.duplicates]
    assert sorted(told) == sorted((trap.kind, trap.path) for trap in planted)
    assert {trap.kind for trap in planted} >= set(DuplicateKind)


def test_quick_finds_what_needs_no_pixels(copy: Drawn) -> None:
    planted = plant(copy.folder, copy.images)
    needs_pixels = {FaultKind.UNREADABLE, FaultKind.BLANK, *DuplicateKind} - {DuplicateKind.PATIENT}
    found = summary_of(copy.folder, is_quick=True)
    assert sorted(fault.path for fault in found.faults) == sorted(
        trap.path for trap in planted if trap.kind in FaultKind and trap.kind not in needs_pixels
    )
    assert [item.kind for item in found.duplicates] == [DuplicateKind.PATIENT]
    assert found.images == summary_of(copy.folder).images


def test_too_few_studies_for_all_faults_are_refused(copy: Drawn) -> None:
    with pytest.raises(Invalid, match="too few studies for all faults"):
        plant(copy.folder, copy.images[:10])


def test_every_fault_is_counted_and_only_so_many_are_written_out(copy: Drawn) -> None:
    for image in copy.images[:5]:
        image.path.unlink()
    lines = as_text(summary_of(copy.folder, is_quick=True), most_told=2).splitlines()
    place = lines.index("  listed images that are not there: 5")
    assert lines[place + 1 :] == [
        *(f"    {image.name} is listed and not there." for image in copy.images[:2]),
        "    and 3 more",
    ]


def test_json_has_the_same_numbers_and_every_sentence(copy: Drawn) -> None:
    planted = plant(copy.folder, copy.images)
    found = summary_of(copy.folder)
    read = json.loads(as_json(found))
    normal, abnormal = found.normal_and_abnormal(Split.TRAIN, BodyPart.WRIST)
    assert read["images"]["train"]["WRIST"] == {"normal": normal, "abnormal": abnormal}
    assert read["splits"]["train"]["unreadable"] == 3
    assert len(read["faults"]) + len(read["duplicates"]) == len(planted)
    copies = [item for item in read["duplicates"] if item["kind"] == "pixels"]
    assert [item["sentence"] for item in copies] == [
        item.sentence for item in found.duplicates if item.kind is DuplicateKind.PIXELS
    ]
    gone = planted[2].path
    assert {"kind": "missing", "path": gone, "sentence": f"{gone} is listed and not there."} in read["faults"]


def test_folder_of_dicom_files_is_summarised(tmp_path: Path) -> None:
    put(tmp_path, "1.dcm", BodyPartExamined="HAND")
    (tmp_path / "2.dcm").write_bytes((tmp_path / "1.dcm").read_bytes()[:-70])
    put(tmp_path, "3.dcm", PixelData=bytes(128))
    label(tmp_path, "path,label,split", "1.dcm,1,train", "3.dcm,0,valid")
    found = summary_of(tmp_path)
    assert found.normal_and_abnormal(Split.TRAIN, BodyPart.HAND) == (0, 1)
    assert [(fault.kind, fault.path) for fault in found.faults] == [
        (FaultKind.REPEATED, "2.dcm"),
        (FaultKind.BLANK, "3.dcm"),
    ]
    assert [item.kind for item in found.duplicates] == [DuplicateKind.PATIENT]


def test_folder_without_a_labelled_image_says_so(tmp_path: Path) -> None:
    label(tmp_path, "path,label")
    assert "No labelled image was found." in as_text(summary_of(tmp_path))
