"""Every transfer syntax, compressed by other programs than those that decode it; and what is refused."""

import contextlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import compress
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tests.worklist.dicom.images import make_dataset
from worklist.dicom.pixels import CannotDecode, displayed_greys

WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}


def film(bits: int = 12) -> NDArray[np.uint16]:
    """A smooth image with a little noise, odd on both sides."""
    rows, columns = np.mgrid[0:61, 0:47] / 60
    noise = np.random.default_rng(7).normal(0, 0.003, rows.shape)
    wave = 0.5 + 0.2 * np.sin(5 * rows) + 0.2 * np.cos(4 * columns) + noise
    return np.rint(wave.clip(0, 1) * (2**bits - 1)).astype(np.uint16)


def written(dataset: Dataset, path: Path, syntax: str | None = None) -> Path:
    """Write a data set, natively encoded, in a transfer syntax."""
    if syntax:
        dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


def dcmtk(tool: str, source: Path, *options: str) -> Path:
    """Convert a file by a program of DCMTK."""
    target = source.with_suffix(f".{tool}")
    subprocess.run([tool, *options, source, target], check=True, capture_output=True)
    return target


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_native_syntaxes_give_the_stored_values(tmp_path: Path, syntax: UID) -> None:
    path = written(make_dataset(film(), bits_stored=12, **WINDOW), tmp_path / "film.dcm", syntax)
    assert_array_equal(displayed_greys(path).greys, film())


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_lossless_syntaxes_written_by_pydicom_give_the_stored_values(syntax: UID) -> None:
    dataset = make_dataset(film(), bits_stored=12, **WINDOW)
    compress(dataset, syntax)
    assert_array_equal(displayed_greys(dataset).greys, film())


@pytest.mark.parametrize(
    ("tool", "options"),
    [("dcmcjpeg", ["+e1"]), ("dcmcjpeg", ["+el"]), ("dcmcjpls", ["+el"]), ("dcmcrle", [])],
)
def test_lossless_syntaxes_written_by_dcmtk_give_the_stored_values(
    tmp_path: Path, tool: str, options: list[str]
) -> None:
    path = written(make_dataset(film(), bits_stored=12, **WINDOW), tmp_path / "film.dcm")
    assert_array_equal(displayed_greys(dcmtk(tool, path, *options)).greys, film())


@pytest.mark.parametrize(
    ("tool", "options", "bits", "error"),
    [
        ("dcmcjpeg", ["+eb", "+q", "95"], 8, 6),
        ("dcmcjpeg", ["+ee", "+q", "95"], 12, 60),
        ("dcmcjpls", ["+en", "+md", "2"], 12, 2),
    ],
)
def test_lossy_syntaxes_come_close_to_the_stored_values(
    tmp_path: Path, tool: str, options: list[str], bits: int, error: int
) -> None:
    stored = film(bits).astype(np.uint8 if bits == 8 else np.uint16)
    window = {"WindowCenter": 2 ** (bits - 1), "WindowWidth": 2**bits}
    path = written(make_dataset(stored, bits_stored=bits, **window), tmp_path / "film.dcm")
    greys = displayed_greys(dcmtk(tool, path, *options)).greys
    assert_allclose(greys.astype(int), stored.astype(int), atol=error)


@pytest.mark.parametrize("name", ["RG1", "RG3"])
@pytest.mark.parametrize(("compressed", "native"), [("J2KR", "UNCR"), ("J2KI", "UNCI")])
def test_real_radiographs_look_the_same_compressed_or_not(name: str, compressed: str, native: str) -> None:
    decoded = displayed_greys(get_testdata_file(f"{name}_{compressed}.dcm", download=False))
    plain = displayed_greys(get_testdata_file(f"{name}_{native}.dcm", download=False))
    assert_array_equal(decoded.greys, plain.greys)
    assert decoded.window == plain.window


@pytest.mark.parametrize(
    "name",
    ["MR_small_RLE", "MR_small_bigendian", "MR_small_expb", "MR_small_jp2klossless", "MR_small_implicit"],
)
def test_the_same_signed_image_is_the_same_in_every_syntax(name: str) -> None:
    plain = displayed_greys(get_testdata_file("MR_small.dcm", download=False))
    assert_array_equal(displayed_greys(get_testdata_file(f"{name}.dcm", download=False)).greys, plain.greys)


@pytest.mark.parametrize(
    ("elements", "sentence"),
    [
        ({"BitsAllocated": 32}, "Bits Allocated"),
        ({"BitsStored": 0}, "Bits Stored"),
        ({"SamplesPerPixel": 4}, "Samples per Pixel"),
        ({"Rows": 0}, "0 rows"),
        ({"Rows": 65535, "Columns": 65535}, "more than 100,000,000"),
        ({"Rows": 500}, "damaged"),
    ],
)
def test_an_impossible_header_is_refused_with_the_element_at_fault(
    elements: dict[str, int], sentence: str
) -> None:
    with pytest.raises(CannotDecode, match=f"cannot be analysed: .*{sentence}"):
        displayed_greys(make_dataset(film(), bits_stored=12, **elements))


@pytest.mark.parametrize(
    ("syntax", "sentence"),
    [
        ("1.2.840.10008.1.2.4.110", "transfer syntax JPEG XL Lossless .* needs a decoder"),
        ("1.2.840.10008.1.2.4.102", "is a video, not a radiograph"),
        ("1.2.3.4", "transfer syntax 1.2.3.4 needs a decoder"),
        ("", "transfer syntax .* is missing"),
    ],
)
def test_an_unknown_transfer_syntax_is_named(syntax: str, sentence: str) -> None:
    dataset = make_dataset(film())
    dataset.file_meta.TransferSyntaxUID = syntax
    with pytest.raises(CannotDecode, match=sentence):
        displayed_greys(dataset)


def test_an_object_without_pixels_is_refused() -> None:
    dataset = make_dataset(film())
    del dataset.PixelData
    with pytest.raises(CannotDecode, match="no pixel data"):
        displayed_greys(dataset)


def test_a_file_that_is_not_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.dcm").write_bytes(b"Dear colleague, " * 50)
    with pytest.raises(CannotDecode, match="not a DICOM file"):
        displayed_greys(tmp_path / "letter.dcm")


def test_only_the_frame_asked_for_is_shown_and_a_missing_one_is_refused() -> None:
    frames = np.stack([film(), film() // 2])
    dataset = make_dataset(film(), bits_stored=12, NumberOfFrames=2, **WINDOW)
    dataset.PixelData = frames.tobytes()
    assert_array_equal(displayed_greys(dataset, 1).greys, frames[1])
    with pytest.raises(CannotDecode, match="frame 3 was asked for, it has 2"):
        displayed_greys(dataset, 2)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([RLELossless, JPEGLSLossless, JPEG2000Lossless]), st.data())
def test_damaged_pixels_are_refused_or_shown_but_never_crash(syntax: UID, data: st.DataObject) -> None:
    dataset = make_dataset(film(), bits_stored=12, **WINDOW)
    compress(dataset, syntax)
    octets = bytearray(dataset.PixelData)
    for place in data.draw(st.lists(st.integers(0, len(octets) - 1), min_size=1, max_size=20)):
        octets[place] = data.draw(st.integers(0, 255))
    dataset.PixelData = bytes(octets)
    with contextlib.suppress(CannotDecode):
        assert displayed_greys(dataset).greys.shape == (61, 47)


def test_reading_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    path = written(make_dataset(film(), bits_stored=12, **WINDOW), tmp_path / "film.dcm")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(CannotDecode):
        displayed_greys(dcmread(path))


def test_a_decoder_that_panics_is_a_refusal_like_any_other() -> None:
    dataset = make_dataset(np.arange(64 * 80, dtype=np.uint16).reshape(64, 80))
    compress(dataset, RLELossless)
    encoded = bytearray(get_frame(dataset.PixelData, 0, number_of_frames=1))
    random = np.random.default_rng(0)
    refused = 0
    for length in range(70, len(encoded), len(encoded) // 60):
        damaged = encoded[:length]
        damaged[int(random.integers(4, 12))] = int(random.integers(256))
        dataset.PixelData = encapsulate([bytes(damaged)])
        try:
            displayed_greys(dataset)
        except CannotDecode as error:
            refused += "gave up" in str(error)
    assert refused > 0, "no damage of this kind made the decoder panic; the test shows nothing any more"
