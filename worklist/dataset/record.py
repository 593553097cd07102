"""One labelled image without its pixels, and the images of one study together."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from worklist.tables import BodyPart


class Split(StrEnum):
    """Which part of a data set an image belongs to, in MURA's words; unsplit where nobody divided it."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"
    UNSPLIT = "unsplit"


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image file and what is known about it.

    Parameters
    ----------
    name
        Path below the folder of the data set, with slashes.
    patient
        What images of one patient share. Of DICOM files a digest of the patient ID, so that no
        patient ID gets into a card, a log or a report.
    study
        What images of one study share; no other study of the data set has it.
    is_abnormal
        The label. Views inherit the label of their study.
    """

    path: Path
    name: str
    body_part: BodyPart
    patient: str
    study: str
    is_abnormal: bool
    split: Split


@dataclass(frozen=True)
class LabelledStudy:
    """The images of one body part in one study: what gets one probability, and is compared with one label."""

    images: tuple[LabelledImage, ...]

    @property
    def body_part(self) -> BodyPart:
        """The body part that all images show."""
        return self.images[0].body_part

    @property
    def patient(self) -> str:
        """The patient of all images."""
        return self.images[0].patient

    @property
    def split(self) -> Split:
        """The split of all images."""
        return self.images[0].split

    @property
    def is_abnormal(self) -> bool:
        """Say if any view is: where labels are given by image, a break may be seen in one view only."""
        return any(image.is_abnormal for image in self.images)


def studies(images: Iterable[LabelledImage]) -> list[LabelledStudy]:
    """Group images by study, in the order in which the first image of each came.

    A study of two body parts becomes two, since each has its own operating points; one that lies in two
    splits does too.
    """
    groups: dict[tuple[Split, BodyPart, str], list[LabelledImage]] = {}
    for image in images:
        groups.setdefault((image.split, image.body_part, image.study), []).append(image)
    return [LabelledStudy(tuple(group)) for group in groups.values()]
