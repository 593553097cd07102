"""Synthetic studies: image objects that the rest of the product can take for real ones."""

import subprocess
from datetime import datetime

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from worklist.synthetic import BODY_PARTS, VIEWS, draw_radiograph
from worklist.synthetic.dataset import compress, make_dataset, make_study, make_visit

SIZE = (120, 96)


def test_study_is_one_patient_in_all_views():
    study = make_study("WRIST", seed=12, lesion="break", size=SIZE)
    assert [dataset.ViewPosition for dataset in study] == list(VIEWS["WRIST"])
    assert len({dataset.StudyInstanceUID for dataset in study}) == 1
    assert len({dataset.PatientID for dataset in study}) == 1
    assert len({dataset.SOPInstanceUID for dataset in study}) == len(study)
    assert {dataset.BodyPartExamined for dataset in study} == {"WRIST"}


def test_nobody_takes_the_patient_for_a_person():
    visit = make_visit(123)
    assert visit.patient_id == "SYN-000123"
    assert visit.patient_name.startswith("SYNTHETIC^")


def test_same_seed_gives_the_same_study_and_another_seed_another():
    first, second = (make_study("ELBOW", seed=5, size=SIZE) for _ in range(2))
    assert first == second
    assert make_study("ELBOW", seed=6, size=SIZE)[0].StudyInstanceUID != first[0].StudyInstanceUID


def test_study_begins_when_asked():
    begun_at = datetime(2026, 3, 1, 9, 30)  # noqa: DTZ001  DICOM times have no zone
    study = make_study("HAND", seed=5, size=SIZE, begun_at=begun_at)
    assert study[0].StudyDate == "20260301"
    assert study[0].StudyTime == "093000"


@pytest.mark.parametrize(
    "transfer_syntax_uid",
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless, JPEG2000Lossless, JPEGLSLossless],
    ids=lambda uid: uid.name,
)
def test_pixels_survive_every_transfer_syntax(transfer_syntax_uid, tmp_path):
    radiograph = draw_radiograph("FINGER", "PA", seed=1, size=SIZE)
    dataset = compress(make_dataset(radiograph), transfer_syntax_uid)
    dataset.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    read = pydicom.dcmread(tmp_path / "image.dcm")
    assert read.file_meta.TransferSyntaxUID == transfer_syntax_uid
    assert np.array_equal(read.pixel_array, radiograph.stored_values)


@pytest.mark.parametrize("modality", ["DX", "CR"])
@pytest.mark.parametrize("body_part", BODY_PARTS)
def test_validator_finds_no_error(body_part, modality, tmp_path):
    radiograph = draw_radiograph(body_part, next(iter(VIEWS[body_part])), seed=9, size=SIZE)
    make_dataset(radiograph, modality=modality).save_as(tmp_path / "image.dcm", enforce_file_format=True)
    command = ["dciodvfy", str(tmp_path / "image.dcm")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Error" not in found.stderr
