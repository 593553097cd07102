"""Headers as modalities really send them, and as nobody should."""

import resource
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tests.worklist.datasets import element, make_radiograph, uids, write, write_raw
from worklist.dicom.header import InstanceHeader, read_header
from worklist.errors import Invalid

UNDEFINED = 0xFFFFFFFF
ITEM = b"\xfe\xff\x00\xe0"
ITEM_END = b"\xfe\xff\x0d\xe0" + bytes(4)
SEQUENCE_END = b"\xfe\xff\xdd\xe0" + bytes(4)
SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def read(path: Path) -> InstanceHeader:
    """Return the header that the file has, and its content as well."""
    header = read_header(path)
    assert read_header(bytearray(path.read_bytes())) == header
    return header


def header_of(tmp_path: Path, **values: Any) -> InstanceHeader:
    return read(write(make_radiograph(**values), tmp_path / "image.dcm"))


def header_of_raw(tmp_path: Path, *elements: bytes, **options: Any) -> InstanceHeader:
    return read(write_raw(tmp_path / "image.dcm", *elements, **options))


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
def test_header_is_the_same_in_every_encoding(tmp_path: Path, syntax: str) -> None:
    dataset = make_radiograph(PatientID="P-7", SeriesNumber=3)
    header = read(write(dataset, tmp_path / "image.dcm", syntax))
    assert header.transfer_syntax_uid == syntax
    assert header.study_instance_uid == dataset.StudyInstanceUID
    assert (header.patient_id, header.series_number, header.rows, header.columns) == ("P-7", 3, 8, 8)
    assert (header.body_part_examined, header.view_position, header.laterality) == ("WRIST", "PA", "L")
    assert header.warnings == ()


@pytest.mark.parametrize("name", ["RG3_UNCR.dcm", "RG3_J2KI.dcm", "JPEG-LL.dcm", "emri_small.dcm"])
def test_header_agrees_with_pydicom_on_real_files(name: str) -> None:
    path = get_testdata_file(name)
    dataset, header = dcmread(path, stop_before_pixels=True), read(Path(path))
    assert header.sop_instance_uid == dataset.SOPInstanceUID
    assert header.series_instance_uid == dataset.SeriesInstanceUID
    assert header.patient_name == str(dataset.PatientName)
    assert (header.rows, header.columns) == (dataset.Rows, dataset.Columns)
    assert header.modality == dataset.Modality


@pytest.mark.parametrize(
    ("keyword", "tag"),
    [
        ("SOPInstanceUID", "(0008,0018)"),
        ("StudyInstanceUID", "(0020,000D)"),
        ("SeriesInstanceUID", "(0020,000E)"),
    ],
)
def test_missing_uid_is_named_with_tag_and_keyword(tmp_path: Path, keyword: str, tag: str) -> None:
    path = write(make_radiograph(), tmp_path / "image.dcm")
    dataset = dcmread(path)
    delattr(dataset, keyword)
    dataset.save_as(path)
    with pytest.raises(Invalid) as refused:
        read(path)
    assert str(refused.value) == f"{tag} {keyword} is missing or empty."


@pytest.mark.parametrize(
    "uid", ["../../etc/passwd", "1.2.x", "1..2", "1.2.", "1.2/3", "1.2.\n3", "1\0.2", "1" * 66]
)
def test_uid_that_is_none_is_refused(tmp_path: Path, uid: str) -> None:
    with pytest.raises(Invalid, match=r"\(0008,0018\) SOPInstanceUID is not a UID"):
        header_of_raw(tmp_path, *uids(sop_instance_uid=uid))


def test_uid_with_a_leading_zero_is_tolerated(tmp_path: Path) -> None:
    assert header_of_raw(tmp_path, *uids(sop_instance_uid="1.2.03.4")).sop_instance_uid == "1.2.03.4"


def test_file_without_prefix_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear colleague, " * 100)
    with pytest.raises(Invalid, match="prefix DICM"):
        read(path)


def test_garbage_and_an_empty_data_set_are_refused(tmp_path: Path) -> None:
    for data in (b"", b"\x00" * 4096, bytes(range(256)) * 40):
        with pytest.raises(Invalid):
            header_of_raw(tmp_path, data)


@pytest.mark.parametrize(
    ("charset", "raw", "name"),
    [
        (b"ISO_IR 100", b"M\xfcller^J\xf6rg", "Müller^Jörg"),
        (b"ISO_IR 192", "Müller^Jörg".encode(), "Müller^Jörg"),
        (b"", "Müller^Jörg".encode(), "Müller^Jörg"),
        (b"", b"M\xfcller^J\xf6rg", "Müller^Jörg"),
        (b"KLINGON", b"M\xfcller^J\xf6rg", "Müller^Jörg"),
        (
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            "Yamada^Tarou=山田^太郎",
        ),
    ],
)
def test_names_are_decoded_whatever_the_character_set_says(
    tmp_path: Path, charset: bytes, raw: bytes, name: str
) -> None:
    charset += b" " * (len(charset) % 2)
    elements = [element(0x00080005, b"CS", charset), *uids()[:2]]
    elements += [element(0x00100010, b"PN", raw), *uids()[2:]]
    assert header_of_raw(tmp_path, *elements).patient_name == name


def test_wrong_character_set_never_raises(tmp_path: Path) -> None:
    elements = [element(0x00080005, b"CS", b"ISO_IR 192"), *uids()[:2]]
    elements += [element(0x00100010, b"PN", b"M\xfcller\xff^\x00J\x1b"), *uids()[2:]]
    name = header_of_raw(tmp_path, *elements).patient_name
    assert name.startswith("M")
    assert "\x00" not in name


def test_folded_name_has_capitals_and_no_accents(tmp_path: Path) -> None:
    assert header_of(tmp_path, PatientName="Müller^Élodie").patient_name_folded == "MULLER^ELODIE"


def test_several_patient_ids_are_joined_with_a_backslash(tmp_path: Path) -> None:
    assert header_of(tmp_path, PatientID=["P-1", "P-2"]).patient_id == "P-1\\P-2"


def test_overlong_value_is_cut_and_said_so(tmp_path: Path) -> None:
    elements = [uids()[0], uids()[1], element(0x00080050, b"SH", b"A" * 40), *uids()[2:]]
    header = header_of_raw(tmp_path, *elements)
    assert header.accession_number == "A" * 16
    assert header.warnings == ("AccessionNumber was longer than 16 characters and was cut.",)


def test_value_past_the_end_is_said_to_be_truncated(tmp_path: Path) -> None:
    pixels = element(0x7FE00010, b"OW", bytes(10), length=1000)
    assert "shorter than its elements say" in header_of_raw(tmp_path, *uids(), pixels).warnings[0]


def test_million_empty_items_cost_neither_time_nor_memory(tmp_path: Path) -> None:
    items = (ITEM + bytes(4)) * 1_000_000
    bomb = element(0x00081140, b"SQ", items + SEQUENCE_END, length=UNDEFINED)
    path = write_raw(tmp_path / "bomb.dcm", *uids()[:2], bomb, *uids()[2:])
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    assert read_header(path).study_instance_uid == "1.2.3.1"
    assert time.perf_counter() - started < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_endless_small_items_are_refused_in_a_second(tmp_path: Path) -> None:
    item = ITEM + b"\x08\0\0\0" + element(0x00080100, b"SH", b"")
    bomb = element(0x00081140, b"SQ", item * 110_000 + SEQUENCE_END, length=UNDEFINED)
    started = time.perf_counter()
    with pytest.raises(Invalid, match="more than 100000 elements"):
        header_of_raw(tmp_path, *uids()[:2], bomb, *uids()[2:])
    assert time.perf_counter() - started < 5


def test_sequence_nested_a_thousand_deep_is_walked_over(tmp_path: Path) -> None:
    opening = element(0x00081140, b"SQ", ITEM + b"\xff" * 4, length=UNDEFINED)
    nested = opening * 1000 + (ITEM_END + SEQUENCE_END) * 1000
    assert header_of_raw(tmp_path, *uids()[:2], nested, *uids()[2:]).study_instance_uid == "1.2.3.1"


def test_values_inside_sequences_are_not_mistaken_for_the_instances_own(tmp_path: Path) -> None:
    other = Dataset()
    other.StudyInstanceUID = "9.9.9"
    other.PatientID = "SOMEBODY ELSE"
    assert header_of(tmp_path, ReferencedStudySequence=[other], PatientID="P-1").patient_id == "P-1"


def test_unknown_sequence_of_undefined_length_is_read_as_implicit(tmp_path: Path) -> None:
    inside = ITEM + b"\xff" * 4 + b"\x08\0\x00\x01\x04\0\0\0ABCD" + ITEM_END + SEQUENCE_END
    private = element(0x00091001, b"UN", inside, length=UNDEFINED)
    assert header_of_raw(tmp_path, *uids()[:2], private, *uids()[2:]).series_instance_uid == "1.2.3.2"


def test_elements_out_of_order_are_found(tmp_path: Path) -> None:
    late = element(0x00180015, b"CS", b"ELBOW ")
    assert header_of_raw(tmp_path, uids()[3], late, *uids()[:3]).body_part_examined == "ELBOW"


def test_deflate_bomb_is_read_by_its_first_bytes(tmp_path: Path) -> None:
    bomb = b"".join(uids()) + element(0x7FE00010, b"OW", bytes(60 * 1024**2))
    deflater = zlib.compressobj(1, zlib.DEFLATED, -15)
    deflated = deflater.compress(bomb) + deflater.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    header = header_of_raw(tmp_path, deflated, syntax=DeflatedExplicitVRLittleEndian)
    assert header.sop_instance_uid == "1.2.3.4"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000


def test_deflated_garbage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be inflated"):
        header_of_raw(tmp_path, b"\xff" * 100, syntax=DeflatedExplicitVRLittleEndian)


def test_data_set_in_a_private_syntax_is_read_as_it_looks(tmp_path: Path) -> None:
    path = write(make_radiograph(PatientID="P-9"), tmp_path / "image.dcm", ImplicitVRLittleEndian)
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2\0", b"1.2.840.99999.1.2\0"))
    assert read_header(path).patient_id == "P-9"


def test_numbers_that_are_none_or_too_large_are_left_out(tmp_path: Path) -> None:
    elements = [*uids(), element(0x00200011, b"IS", b"99999999999 "), element(0x00200013, b"IS", b"first ")]
    header = header_of_raw(tmp_path, *elements)
    assert (header.series_number, header.instance_number, header.rows) == (None, None, None)


def test_anatomic_region_code_is_read_from_its_first_item(tmp_path: Path) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "74670003", "SCT", "Wrist joint"
    assert header_of(tmp_path, AnatomicRegionSequence=[code]).anatomic_region == "74670003"


def test_date_with_points_is_written_without(tmp_path: Path) -> None:
    elements = [*uids()[:2], element(0x00100030, b"DA", b"1979.04.08"), *uids()[2:]]
    assert header_of_raw(tmp_path, *elements).birth_date == "19790408"
