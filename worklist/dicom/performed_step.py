"""The data sets of Modality Performed Procedure Step, as far as they tell what was made.

References
----------
PS3.4 F.7.2, Table F.7.2-1; PS3.3 C.4.13 to C.4.15.
"""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from worklist.dicom.header import UID
from worklist.errors import Invalid

STUDIES = "ScheduledStepAttributesSequence"
SERIES = "PerformedSeriesSequence"
IMAGES = ("ReferencedImageSequence", "ReferencedNonImageCompositeSOPInstanceSequence")


class MissingAttribute(Invalid):
    """An attribute that the Standard requires is not there."""


@dataclass(frozen=True)
class Step:
    """What one message says of a step.

    Attributes
    ----------
    state : str
        Performed Procedure Step Status (0040,0252); empty if it is not said.
    image_uids : tuple of str or None
        Of images and other composite objects; None if the message does not list any series.
    """

    state: str
    study_instance_uid: str
    image_uids: tuple[str, ...] | None


def read_step(attributes: Dataset) -> Step:
    """Read an Attribute List or Modification List.

    Raises
    ------
    Invalid
        If something that must be a UID is none.
    """
    items = list(attributes.get(STUDIES) or [])
    images = [
        _uid(reference, "ReferencedSOPInstanceUID")
        for series in attributes.get(SERIES) or []
        for keyword in IMAGES
        for reference in series.get(keyword) or []
    ]
    return Step(
        state=str(attributes.get("PerformedProcedureStepStatus") or "").strip(),
        study_instance_uid=_uid(items[0], "StudyInstanceUID") if items else "",
        image_uids=tuple(images) if SERIES in attributes else None,
    )


def _uid(item: Dataset, keyword: str) -> str:
    value = str(item.get(keyword) or "")
    if not value:
        raise MissingAttribute(f"{keyword} of a performed procedure step is missing.")
    if len(value) > 64 or not UID.fullmatch(value):
        raise Invalid(f"{keyword} of a performed procedure step is no UID.")
    return value
