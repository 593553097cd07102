"""Pixels for files that a worker reads."""

import numpy as np


def greys():
    """Return the elements of a small image that can be shown."""
    return {
        "Rows": 64,
        "Columns": 64,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": np.linspace(0, 4095, 64 * 64).astype("<u2").tobytes(),
    }
