"""The keys of the Study Root information model that can be matched and returned, level by level.

References
----------
PS3.4 C.6.2.1 (attributes of the levels), PS3.4 C.3.4 (additional attributes).
"""

from enum import StrEnum

from sqlalchemy.orm import InstrumentedAttribute

from worklist.tables import Instance, Series, Study


class Level(StrEnum):
    """Query/Retrieve Level (0008,0052)."""

    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


Columns = dict[str, InstrumentedAttribute[str] | InstrumentedAttribute[int | None]]

UNIQUE_KEYS = {
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.IMAGE: "SOPInstanceUID",
}
PATH = {
    Level.STUDY: (),
    Level.SERIES: ("StudyInstanceUID",),
    Level.IMAGE: ("StudyInstanceUID", "SeriesInstanceUID"),
}
"""The unique keys of the levels above, of which each request must give one value."""

_STUDY: Columns = {
    "StudyInstanceUID": Study.study_instance_uid,
    "StudyDate": Study.study_date,
    "AccessionNumber": Study.accession_number,
    "PatientName": Study.patient_name_folded,
    "PatientID": Study.patient_id,
    "PatientBirthDate": Study.birth_date,
    "PatientSex": Study.sex,
    "StudyDescription": Study.description,
}
_SERIES: Columns = {
    "SeriesInstanceUID": Series.series_instance_uid,
    "Modality": Series.modality,
    "SeriesNumber": Series.series_number,
    "SeriesDescription": Series.description,
}
_IMAGE: Columns = {
    "SOPInstanceUID": Instance.sop_instance_uid,
    "SOPClassUID": Instance.sop_class_uid,
    "InstanceNumber": Instance.instance_number,
}
COLUMNS = {Level.STUDY: _STUDY, Level.SERIES: _SERIES, Level.IMAGE: _IMAGE}

COUNTED = {
    Level.STUDY: ("ModalitiesInStudy", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
    Level.SERIES: ("NumberOfSeriesRelatedInstances",),
    Level.IMAGE: (),
}
"""Returned but, ``ModalitiesInStudy`` apart, not matched."""

UIDS = frozenset(UNIQUE_KEYS.values()) | {"SOPClassUID"}
DATES = frozenset({"StudyDate", "PatientBirthDate"})
NUMBERS = frozenset({"SeriesNumber", "InstanceNumber"})
CONTROL = frozenset(
    {"QueryRetrieveLevel", "SpecificCharacterSet", "TimezoneOffsetFromUTC", "QueryRetrieveView"}
)
"""What an identifier holds that is no key."""
