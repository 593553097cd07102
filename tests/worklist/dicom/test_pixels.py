"""Stored values → displayed greys, against the formulae of the Standard and pydicom's own functions."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from tests.worklist.dicom.images import lookup_table, make_dataset, ramp
from worklist.dicom.pixels import SpacingKind, classifier_greys, displayed_greys

WINDOW = {"WindowCenter": 1500, "WindowWidth": 1000}


def seen(dataset: Dataset) -> NDArray[np.float32]:
    """What a reader sees with the default window, 0…1."""
    return classifier_greys(displayed_greys(dataset))


def by_pydicom(dataset: Dataset, stored: NDArray[Any]) -> NDArray[Any]:
    """The same by pydicom's functions, which map to the range of all modality values."""
    lowest = -(2**15) if stored.dtype.kind == "i" else 0
    ends = apply_modality_lut(np.array([lowest, lowest + 2**dataset.BitsStored - 1]), dataset)
    shown = apply_voi_lut(apply_modality_lut(stored, dataset), dataset)
    return np.asarray((shown - ends.min()) / np.ptp(ends))


def test_a_linear_window_shows_what_the_standard_says() -> None:
    # PS3.3 C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5), clipped to 0…1.
    stored = ramp(0, 4095)
    expected = np.clip((stored - 1499.5) / 999 + 0.5, 0, 1)
    assert_allclose(seen(make_dataset(stored, bits_stored=12, **WINDOW)), expected, atol=1e-6)


def test_an_exact_window_shows_what_the_standard_says() -> None:
    # PS3.3 C.11.2.1.3.2: (x - c) / w + 0.5, clipped to 0…1.
    stored = ramp(0, 4095)
    dataset = make_dataset(stored, bits_stored=12, VOILUTFunction="LINEAR_EXACT", **WINDOW)
    assert_allclose(seen(dataset), np.clip((stored - 1500.0) / 1000 + 0.5, 0, 1), atol=1e-6)


def test_a_sigmoid_window_shows_what_the_standard_says() -> None:
    # PS3.3 C.11.2.1.3.1: 1 / (1 + exp(-4 (x - c) / w)).
    stored = ramp(0, 4095)
    dataset = make_dataset(stored, bits_stored=12, VOILUTFunction="SIGMOID", **WINDOW)
    assert_allclose(seen(dataset), 1 / (1 + np.exp(-4 * (stored - 1500.0) / 1000)), atol=1e-5)


def test_the_window_counts_in_modality_values_after_rescaling() -> None:
    stored = ramp(0, 4095)
    dataset = make_dataset(stored, bits_stored=12, RescaleSlope=0.5, RescaleIntercept=-100, **WINDOW)
    assert_allclose(seen(dataset), by_pydicom(dataset, stored), atol=1e-3)


def test_a_negative_slope_turns_dark_into_bright() -> None:
    stored = ramp(0, 4095)
    dataset = make_dataset(stored, bits_stored=12, RescaleSlope=-1, RescaleIntercept=4095, **WINDOW)
    assert_allclose(seen(dataset), np.clip((4095.0 - stored - 1499.5) / 999 + 0.5, 0, 1), atol=1e-6)


def test_signed_values_are_shown_as_pydicom_shows_them() -> None:
    stored = ramp(-2000, 2000, "int16")
    dataset = make_dataset(stored, WindowCenter=100, WindowWidth=1500)
    assert_allclose(seen(dataset), by_pydicom(dataset, stored), atol=1e-3)


def test_monochrome1_shows_large_values_dark() -> None:
    stored = ramp(0, 4095)
    upright = seen(make_dataset(stored, bits_stored=12, **WINDOW))
    inverted = seen(make_dataset(stored, bits_stored=12, photometric="MONOCHROME1", **WINDOW))
    assert_allclose(inverted, 1 - upright, atol=1e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_an_inverse_presentation_shape_inverts_once(photometric: str) -> None:
    stored = ramp(0, 4095)
    dataset = make_dataset(
        stored, bits_stored=12, photometric=photometric, PresentationLUTShape="INVERSE", **WINDOW
    )
    assert_allclose(seen(dataset), 1 - seen(make_dataset(stored, bits_stored=12, **WINDOW)), atol=1e-6)


def test_a_voi_lookup_table_is_applied_and_its_range_is_the_window() -> None:
    stored = ramp(0, 255, "uint8")
    entries = [int(4095 * (value / 255) ** 2) for value in range(256)]
    dataset = make_dataset(stored, VOILUTSequence=lookup_table(0, 12, entries), **WINDOW)
    displayed = displayed_greys(dataset)
    assert_array_equal(displayed.greys, apply_voi_lut(stored, dataset))
    assert (displayed.window.centre, displayed.window.width) == (2048, 4096)
    assert "VOI lookup table applied" in displayed.notes


def test_a_modality_lookup_table_with_a_negative_first_value_is_applied() -> None:
    stored = ramp(-50, 50, "int16")
    table = lookup_table(-20, 16, [int(entry) for entry in np.linspace(100, 4000, 41)])
    dataset = make_dataset(stored, ModalityLUTSequence=table, WindowCenter=2048, WindowWidth=4096)
    assert_allclose(seen(dataset), apply_modality_lut(stored, dataset) / 4095.0, atol=1e-3)


def test_a_damaged_voi_lookup_table_falls_back_to_the_window_with_a_note() -> None:
    stored = ramp(0, 4095)
    table = lookup_table(0, 12, [1, 2, 3])
    table[0].LUTDescriptor = [500, 0, 12]
    dataset = make_dataset(stored, bits_stored=12, VOILUTSequence=table, **WINDOW)
    assert_array_equal(seen(dataset), seen(make_dataset(stored, bits_stored=12, **WINDOW)))
    assert any(note.startswith("VOI lookup table ignored") for note in displayed_greys(dataset).notes)


def test_of_several_windows_the_first_counts() -> None:
    stored = ramp(0, 4095)
    several = make_dataset(stored, bits_stored=12, WindowCenter=[1500, 20], WindowWidth=[1000, 5])
    assert_array_equal(seen(several), seen(make_dataset(stored, bits_stored=12, **WINDOW)))


@pytest.mark.parametrize(
    ("centre", "width", "note"),
    [
        (100_000, 10, "saturates"),
        (2000, 1e7, "too wide"),
        (2000, 0, "no valid window"),
        (None, None, "no valid window"),
    ],
)
def test_a_window_that_shows_nothing_is_replaced_by_percentiles(
    centre: float | None, width: float | None, note: str
) -> None:
    stored = ramp(1000, 3000)
    dataset = make_dataset(stored, bits_stored=12, WindowCenter=centre, WindowWidth=width)
    displayed = displayed_greys(dataset)
    assert_allclose([displayed.window.lower, displayed.window.upper], [1010, 2990], atol=4)
    assert any(note in line for line in displayed.notes)


def test_a_linear_window_clips_nothing_so_that_the_reader_can_widen_it() -> None:
    stored = ramp(0, 4095)
    displayed = displayed_greys(make_dataset(stored, bits_stored=12, **WINDOW))
    assert_array_equal(displayed.greys, stored)
    assert (displayed.minimum, displayed.maximum) == (0, 4095)
    assert (displayed.window.centre, displayed.window.width) == (1500, 1000)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_count(photometric: str) -> None:
    stored = ramp(1000, 3000)
    stored[:5] = 4095
    dataset = make_dataset(stored, bits_stored=12, photometric=photometric, PixelPaddingValue=4095)
    displayed = displayed_greys(dataset)
    assert (classifier_greys(displayed)[:5] == 0).all()
    assert displayed.maximum - displayed.minimum == np.ptp(stored[5:])
    assert "pixel padding shown black" in displayed.notes


def test_padding_stays_black_under_a_window_that_reaches_below_the_image() -> None:
    stored = ramp(1000, 3000)
    stored[:5] = 0
    dataset = make_dataset(stored, bits_stored=12, PixelPaddingValue=0, WindowCenter=2000, WindowWidth=6000)
    shown = seen(dataset)
    assert (shown[:5] == 0).all()
    assert_allclose(shown[5:], (stored[5:] - 1999.5) / 5999 + 0.5, atol=1e-3)


def test_a_padding_range_covers_everything_between_its_ends() -> None:
    stored = ramp(0, 4095)
    dataset = make_dataset(
        stored, bits_stored=12, PixelPaddingValue=4000, PixelPaddingRangeLimit=4095, **WINDOW
    )
    assert (seen(dataset)[stored >= 4000] == 0).all()
    assert (seen(dataset)[(stored < 4000) & (stored > 2100)] == 1).all()


def test_a_padding_value_written_unsigned_still_meets_signed_values() -> None:
    stored = ramp(-1000, 1000, "int16")
    stored[0] = -2000
    dataset = make_dataset(stored, PixelPaddingValue=63536, WindowCenter=0, WindowWidth=10_000)
    assert (seen(dataset)[0] == 0).all()


def test_an_image_of_nothing_but_padding_is_shown_as_it_is() -> None:
    displayed = displayed_greys(make_dataset(np.full((8, 8), 7, np.uint16), PixelPaddingValue=7))
    assert "every pixel has the padding value, which is ignored" in displayed.notes


def test_overlay_bits_above_the_stored_bits_are_not_seen() -> None:
    stored = ramp(0, 4095)
    overlaid = stored.copy()
    overlaid[::2] |= 0xF000
    assert_array_equal(
        displayed_greys(make_dataset(overlaid, bits_stored=12, **WINDOW)).greys,
        displayed_greys(make_dataset(stored, bits_stored=12, **WINDOW)).greys,
    )


def test_values_stored_in_the_high_bits_are_shifted_down() -> None:
    stored = ramp(0, 4095)
    dataset = make_dataset(stored << 4, bits_stored=12, **WINDOW)
    dataset.HighBit = 15
    assert_array_equal(displayed_greys(dataset).greys, stored)


def test_negative_values_of_twelve_bits_are_extended() -> None:
    stored = ramp(-2048, 2047, "int16")
    cells = (stored & 0x0FFF).astype(np.uint16)
    dataset = make_dataset(cells, bits_stored=12, PixelRepresentation=1, WindowCenter=0, WindowWidth=500)
    assert_array_equal(displayed_greys(dataset).greys, stored + 2048)


def test_odd_dimensions_of_eight_bits_survive() -> None:
    stored = np.arange(15, dtype=np.uint8).reshape(3, 5)
    assert_array_equal(displayed_greys(make_dataset(stored)).greys, stored)


@pytest.mark.parametrize("planar", [0, 1])
def test_colour_is_shown_by_its_luminance(planar: int) -> None:
    colour = np.random.default_rng(1).integers(0, 256, (6, 7, 3), np.uint8)
    dataset = make_dataset(colour, photometric="RGB")
    if planar:
        dataset.PlanarConfiguration = 1
        dataset.PixelData = colour.transpose(2, 0, 1).tobytes()
    displayed = displayed_greys(dataset)
    assert_allclose(displayed.greys, colour @ np.array([0.299, 0.587, 0.114]), atol=0.51)
    assert displayed.notes == ("colour image shown by its luminance",)


def test_a_constant_image_does_not_divide_by_zero() -> None:
    assert np.isfinite(seen(make_dataset(np.full((9, 9), 500, np.uint16)))).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 4095), st.integers(2, 6000), st.sampled_from(["MONOCHROME1", "MONOCHROME2"]))
def test_brighter_never_turns_into_darker(centre: int, width: int, photometric: str) -> None:
    stored = ramp(0, 4095)
    dataset = make_dataset(
        stored, bits_stored=12, photometric=photometric, WindowCenter=centre, WindowWidth=width
    )
    shown = seen(dataset).ravel()
    steps = np.diff(shown) * (1 if photometric == "MONOCHROME2" else -1)
    assert (steps >= 0).all()
    assert 0 <= shown.min() < shown.max() <= 1


@pytest.mark.parametrize(
    ("elements", "spacing_mm", "kind"),
    [
        ({}, None, None),
        ({"ImagerPixelSpacing": [0.1, 0.2]}, (0.1, 0.2), SpacingKind.DETECTOR),
        ({"PixelSpacing": [0.1, 0.1]}, (0.1, 0.1), SpacingKind.DETECTOR),
        ({"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.1, 0.1]}, (0.1, 0.1), SpacingKind.DETECTOR),
        (
            {"PixelSpacing": [0.08, 0.08], "ImagerPixelSpacing": [0.1, 0.1]},
            (0.08, 0.08),
            SpacingKind.CALIBRATED,
        ),
        (
            {"PixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": "FIDUCIAL"},
            (0.1, 0.1),
            SpacingKind.CALIBRATED,
        ),
        ({"PixelSpacing": [0, 0.1]}, None, None),
    ],
)
def test_a_length_is_only_called_calibrated_when_it_is(
    elements: dict[str, Any], spacing_mm: tuple[float, float] | None, kind: SpacingKind | None
) -> None:
    displayed = displayed_greys(make_dataset(ramp(0, 100), **elements))
    assert (displayed.spacing_mm, displayed.spacing_kind) == (spacing_mm, kind)
