"""Stored values → modality values → displayed greys: the one grey pipeline.

The classifier and the reader get their greys from here and nowhere else, so
what the classifier saw is what the reader sees. Every step is a function of one
pixel's value alone; therefore the steps run once over a table of all values a
pixel cell can have, and the image is looked up in it.
"""

from dataclasses import dataclass
from enum import StrEnum
from os import PathLike

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from worklist.dicom import voi
from worklist.dicom.decoding import DECODER_ERRORS, CannotDecode, Cells, pixel_cells
from worklist.dicom.voi import Values, Window

__all__ = ["CannotDecode", "DisplayedGreys", "SpacingKind", "Window", "classifier_greys", "displayed_greys"]

WHITE = 65535
"""The largest grey."""

WIDEST_WINDOW = 50
"""A window this many times wider than the image's own range shows nothing; chosen, not measured."""


class SpacingKind(StrEnum):
    """What a length measured on the image means."""

    CALIBRATED = "calibrated"
    DETECTOR = "detector"


@dataclass(frozen=True, eq=False)
class DisplayedGreys:
    """One frame, ready for a display: larger is brighter, and 0 is black.

    Attributes
    ----------
    greys : ndarray of uint16, shape (rows, columns)
        The native depth: one grey is one step of the modality values, counted
        from the darkest value that a pixel could have. The window is not
        applied, except where the values of interest are a table or a sigmoid.
        Padding is 0.
    window : Window
        The default window in units of these greys.
    minimum, maximum : int
        The extremes of the greys, padding left out.
    spacing_mm : tuple of float or None
        Distance between the centres of neighbouring (rows, columns), in mm.
    spacing_kind : SpacingKind or None
        Where that distance holds: in the patient, or on the detector.
    notes : tuple of str
        What was applied and what was amiss, in words.
    """

    greys: NDArray[np.uint16]
    window: Window
    minimum: int
    maximum: int
    spacing_mm: tuple[float, float] | None
    spacing_kind: SpacingKind | None
    notes: tuple[str, ...]


def displayed_greys(source: Dataset | str | PathLike[str], frame: int = 0) -> DisplayedGreys:
    """Take one frame from its stored values to greys.

    Parameters
    ----------
    source
        Data set with file meta information, or the path of a file.
    frame
        Index of the frame, from 0.

    Returns
    -------
    DisplayedGreys
        Greys, default window and spacing.

    Raises
    ------
    CannotDecode
        If there is no image in it that can be analysed; the message says why.

    References
    ----------
    PS3.3 C.11.1 (Modality LUT), C.7.5.1.1.2 (Pixel Padding Value), C.11.2 (VOI
    LUT), C.7.6.3.1.2 (Photometric Interpretation), C.11.6 (Presentation LUT
    Shape); PS3.4 N.2 (order of the steps).
    """
    dataset = source if isinstance(source, Dataset) else _read(source)
    cells, notes = pixel_cells(dataset, frame)
    try:
        stored = _stored_values(dataset, cells)
        counts = _counts(cells, len(stored))
        is_padding = _is_padding(dataset, stored, counts, notes)
        seen = np.where(is_padding, 0, counts)
        table, window = _grey_table(dataset, stored, seen, notes)
    except DECODER_ERRORS as error:
        raise CannotDecode(f"its header contradicts itself ({error})") from error
    table[is_padding] = 0
    spacing_mm, spacing_kind = _spacing(dataset)
    reached = table[seen > 0]
    return DisplayedGreys(
        greys=table[cells],
        window=window,
        minimum=int(reached.min()),
        maximum=int(reached.max()),
        spacing_mm=spacing_mm,
        spacing_kind=spacing_kind,
        notes=tuple(notes),
    )


def classifier_greys(displayed: DisplayedGreys) -> NDArray[np.float32]:
    """Give what a reader sees with the default window, as the classifier takes it.

    Returns
    -------
    numpy.ndarray
        Float32 (rows, columns), 0 (black) to 1 (white).
    """
    lower, upper = displayed.window.lower, displayed.window.upper
    greys = np.arange(WHITE + 1, dtype=np.float64)
    # A window of width 1 is a step, and has no slope to divide by.
    table = np.clip((greys - lower) / max(upper - lower, 1e-6), 0, 1).astype(np.float32)
    shown: NDArray[np.float32] = table[displayed.greys]
    return shown


def _read(path: str | PathLike[str]) -> Dataset:
    """Read a file that may be anything."""
    try:
        return dcmread(path)
    except InvalidDicomError as error:
        raise CannotDecode("it is not a DICOM file") from error
    except FileNotFoundError:
        raise
    except (*DECODER_ERRORS, RecursionError) as error:
        raise CannotDecode(f"its header is damaged ({error})") from error


def _stored_values(dataset: Dataset, cells: Cells) -> NDArray[np.int64]:
    """Give the stored value of each possible cell: bits around it dropped, sign read.

    The high bits may hold an overlay or anything else (PS3.5 section 8.1.1).
    """
    bits = int(dataset.BitsStored)
    patterns = np.arange(2 ** (8 * cells.itemsize), dtype=np.int64)
    unused_low_bits = 0
    if not dataset.file_meta.TransferSyntaxUID.is_compressed:
        unused_low_bits = max(0, int(dataset.get("HighBit", bits - 1)) + 1 - bits)
    stored: NDArray[np.int64] = (patterns >> unused_low_bits) & (2**bits - 1)
    if dataset.get("PixelRepresentation") == 1:
        stored = np.where(stored >= 2 ** (bits - 1), stored - 2**bits, stored)
    return stored


def _counts(cells: Cells, length: int) -> NDArray[np.int64]:
    """Count how often each cell occurs, a strip at a time: bincount widens its input to 8 bytes."""
    counts = np.zeros(length, np.int64)
    for strip in np.array_split(cells, max(1, cells.size // 500_000)):
        counts += np.bincount(strip.ravel(), minlength=length)
    return counts


def _is_padding(
    dataset: Dataset, stored: NDArray[np.int64], counts: NDArray[np.int64], notes: list[str]
) -> NDArray[np.bool_]:
    """Mark the cells that were added to fill the rectangle, unless all of them were."""
    nothing = np.zeros(len(stored), np.bool_)
    ends = voi.numbers(dataset, "PixelPaddingValue")[:1]
    if not ends:
        return nothing
    ends += voi.numbers(dataset, "PixelPaddingRangeLimit")[:1]
    # Its VR often contradicts Pixel Representation: -2000 arrives as 63536, or the other way round.
    turn = len(stored)
    ends = [end - turn if end > stored.max() else end + turn if end < stored.min() else end for end in ends]
    is_padding: NDArray[np.bool_] = (stored >= min(ends)) & (stored <= max(ends))
    if not counts[is_padding].any():
        return nothing
    if not counts[~is_padding].any():
        notes.append("every pixel has the padding value, which is ignored")
        return nothing
    notes.append("pixel padding shown black")
    return is_padding


def _modality_values(dataset: Dataset, stored: NDArray[np.int64], notes: list[str]) -> tuple[Values, float]:
    """Map stored values to modality values, and give the step between neighbours."""
    values = stored.astype(np.float64)
    if dataset.get("ModalityLUTSequence"):
        notes.append("modality lookup table applied")
        return voi.through_table(values, dataset.ModalityLUTSequence[0])[0], 1.0
    slope = (voi.numbers(dataset, "RescaleSlope") or [1.0])[0]
    intercept = (voi.numbers(dataset, "RescaleIntercept") or [0.0])[0]
    if slope == 0:
        notes.append("rescale slope 0 ignored")
        slope = 1.0
    return values * slope + intercept, abs(slope)


def _grey_table(
    dataset: Dataset, stored: NDArray[np.int64], seen: NDArray[np.int64], notes: list[str]
) -> tuple[NDArray[np.uint16], Window]:
    """Give the grey of each stored value, and the window to look at them."""
    if dataset.SamplesPerPixel > 1 or dataset.PhotometricInterpretation == "PALETTE COLOR":
        return stored.astype(np.uint16), Window(0.0, float(stored.max()))
    modality, step = _modality_values(dataset, stored, notes)
    is_inverted = _is_inverted(dataset, notes)
    baked = _baked(dataset, modality, notes)
    if baked is not None:
        values, white = baked
        greys = np.rint(white - values if is_inverted else values)
        window = Window(0.0, float(white))
        if voi.share_inside(window, greys, seen) >= voi.LEAST_SHOWN:
            return greys.astype(np.uint16), window
        notes.append("the values of interest show nothing and are ignored")
    brightness = -modality if is_inverted else modality
    window = _window(None if baked else voi.linear_window(dataset), is_inverted, brightness, seen, notes)
    return _native_greys(brightness, step, window)


def _is_inverted(dataset: Dataset, notes: list[str]) -> bool:
    """Tell whether large values are dark; the two ways to say so mean one inversion."""
    is_monochrome1 = dataset.PhotometricInterpretation == "MONOCHROME1"
    shape = dataset.get("PresentationLUTShape")
    if is_monochrome1 or shape == "INVERSE":
        notes.append("inverted (MONOCHROME1)" if is_monochrome1 else "inverted (Presentation LUT Shape)")
        return True
    return False


def _baked(dataset: Dataset, modality: Values, notes: list[str]) -> tuple[Values, int] | None:
    """Apply a VOI LUT or a sigmoid, which a display could not window by two numbers."""
    if dataset.get("VOILUTSequence"):
        try:
            baked = voi.through_table(modality, dataset.VOILUTSequence[0])
        except (AttributeError, TypeError, ValueError) as error:
            notes.append(f"VOI lookup table ignored: {error}")
        else:
            notes.append("VOI lookup table applied")
            return baked
    if dataset.get("VOILUTFunction") == "SIGMOID":
        values = voi.sigmoid(modality, dataset, WHITE)
        if values is not None:
            notes.append("sigmoid window applied")
            return values, WHITE
    return None


def _window(
    window: Window | None, is_inverted: bool, brightness: Values, seen: NDArray[np.int64], notes: list[str]
) -> Window:
    """Orient the file's window, or fall back to percentiles where it shows nothing."""
    by_percentiles = voi.percentile_window(brightness, seen)
    if window is None:
        notes.append("no valid window in the file: percentiles used")
        return by_percentiles
    window = window.negated() if is_inverted else window
    if np.count_nonzero(seen) < 2:
        return window
    if voi.share_inside(window, brightness, seen) < voi.LEAST_SHOWN:
        notes.append("the file's window saturates nearly everything: percentiles used")
        return by_percentiles
    if window.width > WIDEST_WINDOW * by_percentiles.width:
        notes.append("the file's window is too wide to show anything: percentiles used")
        return by_percentiles
    return window


def _native_greys(brightness: Values, step: float, window: Window) -> tuple[NDArray[np.uint16], Window]:
    """Count steps from the darkest possible value; wider steps where 65536 are not enough.

    A window that begins below that value moves 0 down to its beginning, so that 0 stays black.
    """
    darkest, brightest = min(float(brightness.min()), window.lower), float(brightness.max())
    step = max(step, (brightest - darkest) / WHITE)
    greys = np.rint((brightness - darkest) / step).astype(np.uint16)
    return greys, Window((window.lower - darkest) / step, (window.upper - darkest) / step)


def _spacing(dataset: Dataset) -> tuple[tuple[float, float] | None, SpacingKind | None]:
    """Read the pixel spacing; one that is not known to be calibrated counts as the detector's.

    References
    ----------
    PS3.3 10.7.1.3 (Pixel Spacing Calibration Type).
    """
    spacing = _spacing_mm(dataset, "PixelSpacing")
    at_detector = _spacing_mm(dataset, "ImagerPixelSpacing")
    if spacing is None:
        return at_detector, SpacingKind.DETECTOR if at_detector else None
    differs = at_detector is not None and not np.allclose(spacing, at_detector, rtol=1e-3)
    is_calibrated = bool(dataset.get("PixelSpacingCalibrationType")) or differs
    return spacing, SpacingKind.CALIBRATED if is_calibrated else SpacingKind.DETECTOR


def _spacing_mm(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    """Read (row, column) spacing in millimetres; None unless both are positive."""
    values = voi.numbers(dataset, keyword)
    return (values[0], values[1]) if len(values) == 2 and min(values) > 0 else None
