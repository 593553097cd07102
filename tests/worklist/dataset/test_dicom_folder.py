"""DICOM files beside a table of labels."""

import os
from pathlib import Path

import pytest

from tests.worklist.dataset.folders import label, put, read_dicom
from tests.worklist.datasets import STRUCTURED_REPORT
from worklist.dataset.faults import FaultKind
from worklist.dataset.record import Split
from worklist.errors import Invalid
from worklist.tables import BodyPart


def test_label_of_a_study_holds_for_all_its_images_however_deep(tmp_path: Path) -> None:
    study, _ = put(tmp_path, "a/1")
    put(tmp_path, "a/deep/2.dcm", StudyInstanceUID=study)
    label(tmp_path, "study_instance_uid,label,split", f"{study},abnormal,valid")
    found = read_dicom(tmp_path)
    assert found.faults == []
    assert [image.name for image in found.images] == ["a/1", "a/deep/2.dcm"]
    for image in found.images:
        assert (image.study, image.is_abnormal, image.split) == (study, True, Split.VALID)
        assert image.body_part is BodyPart.WRIST


@pytest.mark.parametrize("key", ["path", "sop_instance_uid", "study_instance_uid", "accession_number"])
@pytest.mark.parametrize(
    ("word", "is_abnormal"), [("0", False), ("1", True), ("Normal", False), ("ABNORMAL", True)]
)
def test_table_may_name_images_and_studies_in_four_ways(
    tmp_path: Path, key: str, word: str, is_abnormal: bool
) -> None:
    study, instance = put(tmp_path, "a/1.dcm", AccessionNumber="A77")
    about = {"path": "a\\1.dcm", "sop_instance_uid": instance, "study_instance_uid": study}.get(key, "A77")
    label(tmp_path, f"{key},label", f"{about},{word}")
    found = read_dicom(tmp_path)
    assert found.faults == []
    assert [(image.is_abnormal, image.split) for image in found.images] == [(is_abnormal, Split.UNSPLIT)]


def test_table_of_a_spreadsheet_with_semicolons_is_read(tmp_path: Path) -> None:
    put(tmp_path, "1.dcm")
    (tmp_path / "labels.csv").write_bytes("\ufeffPath; Label\r\n1.dcm; 1\r\n;\r\n".encode())
    found = read_dicom(tmp_path)
    assert (len(found.images), found.faults) == (1, [])


def test_table_that_lies_elsewhere_is_read(tmp_path: Path) -> None:
    put(tmp_path / "images", "1.dcm")
    label(tmp_path, "path,label", "1.dcm,1", name="table.csv")
    assert len(read_dicom(tmp_path / "images", "../table.csv").images) == 1


def test_body_part_comes_from_descriptions_as_for_received_images(tmp_path: Path) -> None:
    put(tmp_path, "1.dcm", BodyPartExamined=None, SeriesDescription="Ellenbogen a.p.")
    label(tmp_path, "path,label", "1.dcm,1")
    assert read_dicom(tmp_path).images[0].body_part is BodyPart.ELBOW


def test_body_part_of_the_table_stands_for_that_of_the_file_and_a_contradiction_is_told(tmp_path: Path) -> None:
    put(tmp_path, "1.dcm", BodyPartExamined="EXTREMITY")
    put(tmp_path, "2.dcm", BodyPartExamined="HAND")
    label(tmp_path, "path,label,body_part", "1.dcm,1,wrist", "2.dcm,1,WRIST")
    found = read_dicom(tmp_path)
    assert [image.body_part for image in found.images] == [BodyPart.WRIST, BodyPart.WRIST]
    sentence = found.only(FaultKind.CONTRADICTED).sentence
    assert sentence == "2.dcm is HAND by its header and WRIST by labels.csv; the table is taken."


def test_image_that_may_not_be_judged_is_left_out_with_the_reason(tmp_path: Path) -> None:
    put(tmp_path, "1.dcm", BodyPartExamined="KNEE")
    put(tmp_path, "2.dcm", SOPClassUID=STRUCTURED_REPORT, Modality="SR")
    label(tmp_path, "path,label,body_part", "1.dcm,1,", "2.dcm,1,WRIST")
    found = read_dicom(tmp_path)
    assert found.images == []
    assert found.told() == [(FaultKind.OUT_OF_SCOPE, "1.dcm"), (FaultKind.OUT_OF_SCOPE, "2.dcm")]
    assert "Knee is out of scope" in found.faults[0].sentence
    assert "is not a radiograph" in found.faults[1].sentence


def test_files_that_are_no_images_are_told_and_a_directory_of_files_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "1.dcm")
    label(tmp_path, "path,label", "1.dcm,1")
    (tmp_path / "DICOMDIR").write_bytes(b"any")
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "._1.dcm").write_bytes(b"\0")
    found = read_dicom(tmp_path)
    assert [image.name for image in found.images] == ["1.dcm"]
    assert found.told() == [
        (FaultKind.HIDDEN, "._1.dcm"),
        (FaultKind.NOT_DICOM, "empty.dcm"),
        (FaultKind.NOT_DICOM, "notes.txt"),
    ]


def test_link_to_nowhere_and_file_without_permission_do_not_end_the_reading(
    tmp_path: Path, monkeypatch
) -> None:
    put(tmp_path, "1.dcm")
    put(tmp_path, "2.dcm")
    label(tmp_path, "path,label", "1.dcm,1", "2.dcm,1")
    (tmp_path / "gone.dcm").symlink_to(tmp_path / "nowhere")
    real = Path.open

    def refuse(path: Path, *arguments: object, **named: object) -> object:
        if path.name == "1.dcm":
            raise PermissionError(13, os.strerror(13))
        return real(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", refuse)
    found = read_dicom(tmp_path)
    assert [image.name for image in found.images] == ["2.dcm"]
    assert [fault.sentence for fault in found.faults[:2]] == [
        "1.dcm cannot be read: Permission denied.",
        "gone.dcm cannot be read: No such file or directory.",
    ]


def test_image_that_was_sent_twice_counts_once(tmp_path: Path) -> None:
    study, instance = put(tmp_path, "1.dcm")
    put(tmp_path, "2.dcm", StudyInstanceUID=study, SOPInstanceUID=instance)
    label(tmp_path, "study_instance_uid,label", f"{study},1")
    found = read_dicom(tmp_path)
    assert len(found.images) == 1
    sentence = found.only(FaultKind.REPEATED).sentence
    assert sentence == "2.dcm has the SOP Instance UID of 1.dcm; it is left out."


def test_image_without_label_and_label_without_image_are_told(tmp_path: Path) -> None:
    put(tmp_path, "1.dcm")
    label(tmp_path, "path,label", "2.dcm,1")
    found = read_dicom(tmp_path)
    assert found.images == []
    assert [fault.sentence for fault in found.faults] == [
        "1.dcm has no label in labels.csv; it is left out.",
        "Line 2 of labels.csv is about 2.dcm, which no file has.",
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1.dcm,unsure,,", "has the label 'unsure'; 0, normal, 1, abnormal are allowed."),
        ("1.dcm", "has the label ''; 0, normal, 1, abnormal are allowed."),
        (
            "1.dcm,1,KNEE,",
            "has the body part 'KNEE'; ELBOW, FINGER, FOREARM, HAND, HUMERUS, SHOULDER, WRIST are",
        ),
        ("1.dcm,1,,training", "has the split 'training'; train, valid, test, unsplit are allowed."),
        (",1,,", "has no path; it says what the row is about."),
    ],
)
def test_row_that_breaks_a_rule_is_told_with_value_and_rule(tmp_path: Path, row: str, said: str) -> None:
    put(tmp_path, "2.dcm")
    label(tmp_path, "path,label,body_part,split", "2.dcm,1,,", "", row)
    found = read_dicom(tmp_path)
    assert len(found.images) == 1
    assert found.only(FaultKind.MALFORMED).sentence.startswith(f"Line 4 of labels.csv {said}")


@pytest.mark.parametrize(
    ("word", "kind", "said"),
    [
        ("1", FaultKind.REPEATED, "Line 3 of labels.csv is about 1.dcm, as line 2 is."),
        (
            "0",
            FaultKind.CONTRADICTED,
            "Line 3 of labels.csv says that 1.dcm is normal, line 2 says abnormal; the earlier one is taken.",
        ),
    ],
)
def test_second_row_about_an_image_is_told_and_the_first_is_kept(
    tmp_path: Path, word: str, kind: FaultKind, said: str
) -> None:
    put(tmp_path, "1.dcm")
    label(tmp_path, "path,label", "1.dcm,1", f"1.dcm,{word}")
    found = read_dicom(tmp_path)
    assert found.images[0].is_abnormal
    assert found.only(kind).sentence == said


@pytest.mark.parametrize(
    ("header", "columns"), [("uid,label", "uid, label"), ("path,class", "path, class"), ("", "nothing")]
)
def test_table_without_a_column_that_is_needed_is_refused(tmp_path: Path, header: str, columns: str) -> None:
    label(tmp_path, header)
    with pytest.raises(Invalid) as refused:
        read_dicom(tmp_path)
    assert f"labels.csv have the columns {columns}; a column 'label' and one of path," in str(refused.value)


def test_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"path,label\n\xff\xfe\xff\n")
    with pytest.raises(Invalid, match=r"labels\.csv cannot be read"):
        read_dicom(tmp_path)


def test_one_patient_is_one_and_its_id_leaves_the_file_nowhere(tmp_path: Path) -> None:
    put(tmp_path, "1.dcm", PatientID="SECRET-1", AccessionNumber="SECRET-2")
    put(tmp_path, "2.dcm", PatientID="SECRET-1", AccessionNumber="SECRET-3")
    put(tmp_path, "3.dcm", PatientID="SECRET-4", AccessionNumber="SECRET-5")
    rows = [f"SECRET-{number},1" for number in (2, 3, 5, 3, 9)]
    label(tmp_path, "accession_number,label", *rows)
    found = read_dicom(tmp_path)
    first, second, third = (image.patient for image in found.images)
    assert (first == second, first == third) == (True, False)
    assert len(found.faults) == 2
    assert "SECRET" not in repr(found)


def test_study_without_a_patient_id_is_a_patient_of_its_own_and_told_once(tmp_path: Path) -> None:
    study, _ = put(tmp_path, "1.dcm", PatientID="")
    put(tmp_path, "2.dcm", PatientID="", StudyInstanceUID=study)
    other, _ = put(tmp_path, "3.dcm", PatientID="")
    label(tmp_path, "study_instance_uid,label", f"{study},1", f"{other},1")
    found = read_dicom(tmp_path)
    first, second, third = (image.patient for image in found.images)
    assert (first == second, first == third) == (True, False)
    assert found.told() == [(FaultKind.NO_PATIENT, "1.dcm"), (FaultKind.NO_PATIENT, "3.dcm")]
