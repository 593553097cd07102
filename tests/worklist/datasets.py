"""The smallest data sets that show something, and raw elements for those no library would write."""

import struct
from itertools import count
from pathlib import Path
from typing import Any

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from worklist.archive import Kept
from worklist.dicom import file_meta
from worklist.dicom.header import InstanceHeader, folded

DIGITAL_X_RAY = "1.2.840.10008.5.1.4.1.1.1.1"
STRUCTURED_REPORT = "1.2.840.10008.5.1.4.1.1.88.11"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ROOT = "1.2.826.0.1.3680043.8.498."
_numbers = count(1000)


def new_uid() -> str:
    """Return a UID that no other call returns."""
    return f"{ROOT}{next(_numbers)}"


def make_radiograph(**values: Any) -> FileDataset:
    """Return an 8 x 8 radiograph of a wrist; keywords replace elements, None removes them."""
    dataset = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=bytes(128))
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    defaults = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": DIGITAL_X_RAY,
        "SOPInstanceUID": new_uid(),
        "StudyDate": "20260302",
        "Modality": "DX",
        "PatientName": "Rita^Example",
        "PatientID": "P-1",
        "BodyPartExamined": "WRIST",
        "ViewPosition": "PA",
        "StudyInstanceUID": new_uid(),
        "SeriesInstanceUID": new_uid(),
        "InstanceNumber": 1,
        "ImageLaterality": "L",
        "Rows": 8,
        "Columns": 8,
        "PixelData": bytes(128),
    }
    for keyword, value in {**defaults, **values}.items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OW"
    return dataset


def write(dataset: Dataset, path: Path, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> Path:
    """Write a data set as a DICOM file and return its path."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = transfer_syntax_uid
    dcmwrite(
        path,
        dataset,
        implicit_vr=transfer_syntax_uid == ImplicitVRLittleEndian,
        little_endian=transfer_syntax_uid != ExplicitVRBigEndian,
        enforce_file_format=True,
    )
    return path


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """Return one element in explicit VR little endian, with another length than its own if wanted."""
    length = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if vr in {b"SQ", b"OB", b"OW", b"UN", b"UT"}:
        return head + vr + struct.pack("<HI", 0, length) + value
    return head + vr + struct.pack("<H", length) + value


def uids(*, sop_instance_uid: str = "1.2.3.4") -> list[bytes]:
    """Return the four elements without which nothing is registered, in ascending order."""
    return [
        element(0x00080016, b"UI", DIGITAL_X_RAY.encode() + b"\0"),
        element(0x00080018, b"UI", _even(sop_instance_uid)),
        element(0x0020000D, b"UI", _even("1.2.3.1")),
        element(0x0020000E, b"UI", _even("1.2.3.2")),
    ]


def write_raw(
    path: Path, *elements: bytes, syntax: str = ExplicitVRLittleEndian, sop_instance_uid: str = "1.2.3.4"
) -> Path:
    """Write elements behind a file meta information, unchecked."""
    path.write_bytes(file_meta.encode(DIGITAL_X_RAY, sop_instance_uid, syntax) + b"".join(elements))
    return path


def make_header(**values: Any) -> InstanceHeader:
    """Return the header of a radiograph of a wrist."""
    defaults = {
        "sop_class_uid": DIGITAL_X_RAY,
        "sop_instance_uid": new_uid(),
        "study_instance_uid": new_uid(),
        "series_instance_uid": new_uid(),
        "transfer_syntax_uid": str(ExplicitVRLittleEndian),
        "patient_id": "P-1",
        "patient_name": "Rita^Example",
        "patient_name_folded": folded("Rita^Example"),
        "modality": "DX",
        "rows": 8,
        "columns": 8,
        "body_part_examined": "WRIST",
    }
    return InstanceHeader(**{**defaults, **values})


def make_kept(sha256: str = "") -> Kept:
    """Return what the archive returns of a kept file; there is none."""
    number = next(_numbers)
    return Kept(f"2026/03/02/{number}.dcm", sha256 or f"{number:064d}", 1000)


def _even(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)
