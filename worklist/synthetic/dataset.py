"""Synthetic radiographs as DICOM objects: DX or CR images of a patient who evidently never lived."""

from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import (
    PYDICOM_ROOT_UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

from worklist.synthetic.film import Film, random_film
from worklist.synthetic.lesions import Lesion
from worklist.synthetic.radiograph import VIEWS, SyntheticRadiograph, draw_radiograph

_NAMES = (
    "RITA", "OTTO", "LENA", "ADAM", "IDA", "EMIL", "NORA", "HUGO", "ELLA", "ARNE",
    "MAYA", "FINN", "RUTH", "KARL", "VERA", "LEON", "ANNA", "OSCAR", "INES", "PAUL",
)  # fmt: skip

_FIRST_DAY = datetime(2026, 1, 5, 8, 0, 0)  # noqa: DTZ001  DICOM times are local and without a zone here

# Anatomic Region (PS3.16 CID 4009) and projection (CID 4010) of what can be drawn.
_REGIONS = {
    "ELBOW": codes.cid4009.ElbowJoint,
    "FINGER": codes.cid4009.Finger,
    "FOREARM": codes.cid4009.Forearm,
    "HAND": codes.cid4009.Hand,
    "HUMERUS": codes.cid4009.Humerus,
    "SHOULDER": codes.cid4009.Shoulder,
    "WRIST": codes.cid4009.WristJoint,
}
_PROJECTIONS = {
    "AP": codes.cid4010.AnteroPosterior,
    "PA": codes.cid4010.PosteroAnterior,
    "LL": codes.cid4010.LeftLateral,
    "OBL": codes.cid4010.ObliqueProjection,
}


@dataclass(frozen=True)
class Visit:
    """What all images of one study share.

    Parameters
    ----------
    patient_id
        Begins with SYN-, so that nobody takes it for a person.
    begun_at
        Local time without zone.
    """

    patient_name: str
    patient_id: str
    sex: str
    born_on: date
    study_instance_uid: str
    accession_number: str
    begun_at: datetime
    description: str = ""

    def uid(self, *what: object) -> str:
        """Return a UID that belongs to this study: the same arguments give the same UID."""
        return uid(self.study_instance_uid, *what)


def uid(*entropy: object) -> str:
    """Return a UID under the root of pydicom that follows from its arguments."""
    return str(generate_uid(PYDICOM_ROOT_UID, [str(item) for item in entropy]))


def make_visit(seed: int, *, begun_at: datetime | None = None) -> Visit:
    """Invent a patient and a visit; the same seed gives the same ones."""
    random = np.random.default_rng([seed, 11])
    days, minutes = int(random.integers(0, 200)), int(random.integers(0, 600))
    age_days = int(random.integers(18 * 365, 92 * 365))
    begun_at = begun_at or _FIRST_DAY + timedelta(days=days, minutes=minutes)
    name = _NAMES[int(random.integers(len(_NAMES)))]
    return Visit(
        patient_name=f"SYNTHETIC^{name}",
        patient_id=f"SYN-{seed % 10**6:06d}",
        sex="F" if random.random() < 0.5 else "M",
        born_on=(begun_at - timedelta(days=age_days)).date(),
        study_instance_uid=uid("study", seed, begun_at),
        accession_number=f"SYN{seed % 10**8:08d}",
        begun_at=begun_at,
    )


def make_dataset(
    radiograph: SyntheticRadiograph,
    *,
    visit: Visit | None = None,
    instance_number: int = 1,
    modality: str = "DX",
) -> FileDataset:
    """Return a radiograph as a DICOM image object, explicit VR little endian.

    Parameters
    ----------
    visit
        By default that of the radiograph's seed.
    instance_number
        Place in the study; each image gets a series of its own, as many devices do it.
    modality
        DX gives Digital X-Ray Image Storage - For Presentation, CR Computed Radiography.

    References
    ----------
    PS3.3 A.26 (Digital X-Ray Image IOD), A.2 (Computed Radiography Image IOD).
    """
    visit = visit or make_visit(radiograph.seed)
    dataset = _empty(visit.uid("instance", instance_number, modality), modality)
    _add_patient_and_study(dataset, visit)
    _add_series(dataset, visit, instance_number, modality)
    _add_anatomy(dataset, radiograph, modality)
    _add_image(dataset, radiograph, modality)
    if modality == "DX":
        _add_digital_x_ray(dataset, radiograph)
    return dataset


def make_study(
    body_part: str,
    *,
    seed: int,
    lesion: Lesion | None = None,
    views: tuple[str, ...] | None = None,
    size: tuple[int, int] = (1250, 1000),
    begun_at: datetime | None = None,
) -> list[FileDataset]:
    """Return the images of one study: the same patient and bone in two or three views.

    Parameters
    ----------
    lesion
        Seen in every view; None for a normal study.
    views
        View positions; by default all that are usual for the body part.
    begun_at
        Local time of the first image, without zone; by default it follows from the seed.
    """
    visit = replace(make_visit(seed, begun_at=begun_at), description=f"{body_part} X-RAY")
    film = random_film(np.random.default_rng([seed, 12]))
    return [
        make_dataset(
            draw_radiograph(body_part, view, seed=seed, lesion=lesion, size=size, film=_with_text(film, visit)),
            visit=visit,
            instance_number=number,
            modality="DX" if seed % 3 else "CR",
        )
        for number, view in enumerate(views or tuple(VIEWS[body_part]), start=1)
    ]


def _with_text(film: Film, visit: Visit) -> Film:
    """Burn the patient ID in, where text is burned in at all."""
    return replace(film, text=visit.patient_id) if film.text else film


def compress(dataset: FileDataset, transfer_syntax_uid: str) -> FileDataset:
    """Return a copy of an uncompressed image object in another transfer syntax.

    Parameters
    ----------
    transfer_syntax_uid
        Explicit or Implicit VR Little Endian, RLE, JPEG-LS lossless or JPEG 2000 lossless.
    """
    copy = deepcopy(dataset)
    if transfer_syntax_uid in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        copy.file_meta.TransferSyntaxUID = transfer_syntax_uid
    else:
        copy.compress(transfer_syntax_uid, generate_instance_uid=False)
    return copy


def _empty(sop_instance_uid: str, modality: str) -> FileDataset:
    """Return a data set with its file meta information and SOP Common module."""
    meta = FileMetaDataset()
    is_digital = modality == "DX"
    meta.MediaStorageSOPClassUID = (
        DigitalXRayImageStorageForPresentation if is_digital else ComputedRadiographyImageStorage
    )
    meta.MediaStorageSOPInstanceUID = sop_instance_uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid("synthetic radiographs")
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = sop_instance_uid
    return dataset


def _add_patient_and_study(dataset: Dataset, visit: Visit) -> None:
    """Fill the Patient, General Study and Patient Study modules (PS3.3 C.7.1, C.7.2)."""
    dataset.PatientName = visit.patient_name
    dataset.PatientID = visit.patient_id
    dataset.IssuerOfPatientID = "SYNTHETIC"
    dataset.PatientBirthDate = visit.born_on.strftime("%Y%m%d")
    dataset.PatientSex = visit.sex
    dataset.PatientComments = "Synthetic radiograph, no patient"
    dataset.PatientAge = f"{(visit.begun_at.date() - visit.born_on).days // 365:03d}Y"
    dataset.StudyInstanceUID = visit.study_instance_uid
    dataset.StudyDate = visit.begun_at.strftime("%Y%m%d")
    dataset.StudyTime = visit.begun_at.strftime("%H%M%S")
    dataset.ReferringPhysicianName = ""
    dataset.StudyID = visit.accession_number[-8:]
    dataset.AccessionNumber = visit.accession_number
    if visit.description:
        dataset.StudyDescription = visit.description


def _add_series(dataset: Dataset, visit: Visit, number: int, modality: str) -> None:
    """Fill the General Series, DX Series and General Equipment modules (C.7.3, C.7.5, C.8.11.1)."""
    taken_at = visit.begun_at + timedelta(seconds=50 * number)
    dataset.Modality = modality
    dataset.SeriesInstanceUID = visit.uid("series", number)
    dataset.SeriesNumber = number
    dataset.SeriesDate = dataset.ContentDate = dataset.AcquisitionDate = taken_at.strftime("%Y%m%d")
    dataset.SeriesTime = dataset.ContentTime = dataset.AcquisitionTime = taken_at.strftime("%H%M%S")
    dataset.InstanceNumber = 1
    dataset.AcquisitionNumber = 1
    dataset.Manufacturer = "Synthetic"
    dataset.ManufacturerModelName = "Drawn radiograph"
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = "1"
    if modality == "DX":
        dataset.PresentationIntentType = "FOR PRESENTATION"


def _add_anatomy(dataset: Dataset, radiograph: SyntheticRadiograph, modality: str) -> None:
    """Fill body part, laterality and view (C.8.11.2, C.8.11.5, C.8.1.1)."""
    dataset.BodyPartExamined = radiograph.body_part
    dataset.ViewPosition = radiograph.view_position
    is_side = radiograph.view_position == "LL"
    dataset.PatientOrientation = ["A" if is_side else radiograph.laterality, "F"]
    if modality == "CR":
        dataset.Laterality = radiograph.laterality
        return
    dataset.ImageLaterality = radiograph.laterality
    dataset.AnatomicRegionSequence = [_code(_REGIONS[radiograph.body_part])]
    dataset.ViewCodeSequence = [_code(_PROJECTIONS[radiograph.view_position])]
    dataset.ViewCodeSequence[0].ViewModifierCodeSequence = []


def _code(code: Code) -> Dataset:
    """Return a code as an item of a sequence."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def _add_image(dataset: Dataset, radiograph: SyntheticRadiograph, modality: str) -> None:
    """Fill the General Image, Image Pixel and VOI LUT modules (C.7.6.1, C.7.6.3, C.11.2)."""
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""] if modality == "DX" else ["ORIGINAL", "PRIMARY"]
    dataset.ImageComments = "Synthetic radiograph, no patient"
    dataset.BurnedInAnnotation = "YES"
    dataset.LossyImageCompression = "00"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = radiograph.photometric_interpretation
    dataset.Rows, dataset.Columns = radiograph.stored_values.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = radiograph.bits_stored
    dataset.HighBit = radiograph.bits_stored - 1
    dataset.PixelRepresentation = 0
    spacing = f"{radiograph.pixel_spacing_mm:.6g}"
    dataset.ImagerPixelSpacing = [spacing, spacing]
    dataset.WindowCenter = str(2 ** (radiograph.bits_stored - 1))
    dataset.WindowWidth = str(2**radiograph.bits_stored)
    dataset.PixelData = radiograph.stored_values.astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    if modality == "CR":
        dataset.KVP = "57"


def _add_digital_x_ray(dataset: Dataset, radiograph: SyntheticRadiograph) -> None:
    """Fill the DX Image, DX Detector and Acquisition Context modules (C.8.11.3 to C.8.11.5, C.7.6.14)."""
    is_inverse = radiograph.photometric_interpretation == "MONOCHROME1"
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = 1 if is_inverse else -1
    dataset.RescaleIntercept = "0"
    dataset.RescaleSlope = "1"
    dataset.RescaleType = "US"
    dataset.PresentationLUTShape = "INVERSE" if is_inverse else "IDENTITY"
    dataset.PositionerType = "COLUMN"
    dataset.DetectorType = "DIRECT"
    dataset.DetectorID = "0"
    dataset.AcquisitionContextSequence = []
