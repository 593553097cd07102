"""Small images as data sets, with a knob for everything that the grey pipeline reads."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid


def make_dataset(
    stored: NDArray[Any], *, bits_stored: int | None = None, photometric: str = "MONOCHROME2", **elements: Any
) -> Dataset:
    """Make a data set of one frame (rows, columns) or (rows, columns, 3); uint8, uint16 or int16."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.SamplesPerPixel = 1 if stored.ndim == 2 else 3
    if stored.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = 8 * stored.itemsize
    dataset.BitsStored = bits_stored or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.PixelData = stored.tobytes() + b"\0" * (stored.nbytes % 2)
    dataset["PixelData"].VR = "OW" if stored.itemsize == 2 else "OB"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def lookup_table(first: int, bits: int, entries: list[int]) -> list[Dataset]:
    """Make the one item of a Modality or VOI LUT Sequence."""
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, bits]
    item["LUTDescriptor"].VR = "US" if first >= 0 else "SS"
    item.LUTData = entries
    item["LUTData"].VR = "US"
    return [item]


def ramp(low: int, high: int, dtype: str = "uint16") -> NDArray[Any]:
    """Make 20 rows of 30 columns that run evenly from low to high."""
    return np.rint(np.linspace(low, high, 600)).astype(dtype).reshape(20, 30)
