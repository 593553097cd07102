"""Pixel data of any transfer syntax → pixel cells, or one sentence why not."""

import struct
import zlib
from typing import Any

import gdcm  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, uid
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder, pixel_array
from pydicom.pixels.processing import apply_color_lut

from worklist.errors import Invalid

Cells = NDArray[np.uint8] | NDArray[np.uint16]

# Named one by one, so that every installation decodes a lossy image to the same values.
PLUGINS = {
    uid.JPEGBaseline8Bit: "gdcm",
    uid.JPEGExtended12Bit: "gdcm",
    uid.JPEGLossless: "gdcm",
    uid.JPEGLosslessSV1: "gdcm",
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000Lossless: "pylibjpeg",
    uid.JPEG2000: "pylibjpeg",
    uid.HTJ2KLossless: "pylibjpeg",
    uid.HTJ2KLosslessRPCL: "pylibjpeg",
    uid.HTJ2K: "pylibjpeg",
    uid.RLELossless: "pylibjpeg",
}
NATIVE = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
    }
)
# The dictionary of pydicom 3.0 does not know these yet.
RECENT_NAMES = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}
VIDEO = ("1.2.840.10008.1.2.4.10", "1.2.840.10008.1.2.7.")  # MPEG, HEVC; SMPTE ST 2110

LARGEST_IMAGE_PX = 100_000_000
"""A stitched long-leg radiograph has some 40 million; a header may claim four thousand million."""

LUMINANCE = (0.299, 0.587, 0.114)

# What the decoders raise on damaged data, found by damaging it.
DECODER_ERRORS = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, NotImplementedError, OSError,
    RuntimeError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip


class CannotDecode(Invalid):
    """The pixels cannot be analysed; the message says what stands in the way."""

    def __init__(self, why: str) -> None:
        super().__init__(f"cannot be analysed: {why}")


def pixel_cells(dataset: Dataset, frame: int = 0) -> tuple[Cells, list[str]]:
    """Decode one frame.

    Parameters
    ----------
    dataset
        Data set with file meta information.
    frame
        Index of the frame, from 0.

    Returns
    -------
    cells : numpy.ndarray
        Uint8 or uint16 (rows, columns): the whole allocated cell, so unused high
        bits and the sign are still to be sorted out. Colour has become luminance.
    notes : list of str
        What was done beyond decoding, in words.

    Raises
    ------
    CannotDecode
        If the syntax, the kind of image or damage stands in the way.

    References
    ----------
    PS3.5 section 8 (encoding of pixel data); PS3.3 C.7.6.3 (Image Pixel module);
    Rec. ITU-R BT.601 (luminance).
    """
    syntax = _checked_syntax(dataset)
    _check_shape(dataset, frame)
    photometric_interpretation = str(dataset.get("PhotometricInterpretation", ""))
    try:
        decoded = _decoded(dataset, frame, syntax)
        if photometric_interpretation == "PALETTE COLOR":
            decoded = apply_color_lut(decoded, dataset)
    except DECODER_ERRORS as error:
        why = str(error).splitlines()[-1].strip() if str(error) else type(error).__name__
        raise CannotDecode(f"its pixel data is damaged or contradicts its header ({why})") from error
    decoded = decoded.astype(decoded.dtype.newbyteorder("="), copy=False)
    if decoded.ndim == 2:
        return decoded.view(f"u{decoded.itemsize}"), []
    return _luminance(decoded), ["colour image shown by its luminance"]


def _decoded(dataset: Dataset, frame: int, syntax: uid.UID) -> NDArray[Any]:
    """Decode by the decoder of the syntax; cells keep their unused bits."""
    if syntax == uid.JPEGExtended12Bit and dataset.BitsStored > 8:
        return _twelve_bit_jpeg(dataset, frame)
    try:
        decoded: NDArray[Any] = pixel_array(
            dataset,
            index=frame,
            raw=dataset.SamplesPerPixel == 1,
            decoding_plugin=PLUGINS.get(syntax, ""),
            correct_unused_bits=False,
        )
    except BaseException as error:
        # pylibjpeg-rle panics on damaged data, and a panic of Rust passes every "except Exception". pydicom's
        # own decoder does not, but is twenty times slower.
        if type(error).__name__ == "PanicException":
            raise ValueError("the RLE decoder gave up") from None
        raise
    return decoded


def _twelve_bit_jpeg(dataset: Dataset, frame: int) -> NDArray[np.uint16]:
    """Decode lossy JPEG of 12 bit (process 4), which GDCM can and pydicom does not ask it to."""
    if dataset.SamplesPerPixel != 1:
        raise ValueError("colour of 12 bit")
    encoded = get_frame(dataset.PixelData, frame, number_of_frames=int(dataset.get("NumberOfFrames") or 1))
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(encoded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((dataset.Columns, dataset.Rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(
        gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2)
    )
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, 0))
    # GDCM hands its octets over as text.
    octets = image.GetBuffer().encode("utf-8", "surrogateescape")
    return np.frombuffer(octets, "<u2").reshape(dataset.Rows, dataset.Columns)


def _luminance(colour: NDArray[Any]) -> Cells:
    """Weigh red, green and blue (rows, columns, 3) into one grey of the same depth."""
    weighed = colour.astype(np.float32) @ np.array(LUMINANCE, np.float32)
    grey: Cells = np.rint(weighed).astype(colour.dtype)
    return grey


def _checked_syntax(dataset: Dataset) -> uid.UID:
    """Give the transfer syntax if there are pixels in it that can be decoded."""
    if "PixelData" not in dataset:
        raise CannotDecode("it holds no pixel data (7FE0,0010)")
    syntax = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
    if not syntax:
        raise CannotDecode("its transfer syntax (0002,0010) is missing")
    name = RECENT_NAMES.get(syntax, syntax.name)
    named = f"transfer syntax {name} ({syntax})" if name != syntax else f"transfer syntax {syntax}"
    if syntax.startswith(VIDEO):
        raise CannotDecode(f"{named} is a video, not a radiograph")
    if syntax not in PLUGINS and syntax not in NATIVE:
        raise CannotDecode(f"{named} needs a decoder that this system does not have")
    if syntax in PLUGINS and PLUGINS[syntax] not in get_decoder(syntax).available_plugins:
        raise CannotDecode(f"{named} needs the decoder {PLUGINS[syntax]}, which is not installed")
    return syntax


def _check_shape(dataset: Dataset, frame: int) -> None:
    """Refuse what is not one plane of 8 or 16 bit, before memory is spent on it."""
    rows, columns = dataset.get("Rows") or 0, dataset.get("Columns") or 0
    if rows * columns == 0:
        raise CannotDecode(f"it has {rows} rows and {columns} columns")
    if rows * columns > LARGEST_IMAGE_PX:
        raise CannotDecode(f"{rows} × {columns} pixels are more than {LARGEST_IMAGE_PX:,}")
    allocated, stored = dataset.get("BitsAllocated"), dataset.get("BitsStored")
    if allocated not in (8, 16):
        raise CannotDecode(f"Bits Allocated (0028,0100) is {allocated}, not 8 or 16")
    if stored is None or not 1 <= stored <= allocated:
        raise CannotDecode(f"Bits Stored (0028,0101) is {stored}, not 1 to {allocated}")
    if dataset.get("SamplesPerPixel") not in (1, 3):
        samples = dataset.get("SamplesPerPixel")
        raise CannotDecode(f"Samples per Pixel (0028,0002) is {samples}, not 1 or 3")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if not 0 <= frame < frames:
        raise CannotDecode(f"frame {frame + 1} was asked for, it has {frames}")
