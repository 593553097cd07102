"""Files that are held back and things that were turned away, made the way the receiver makes them."""

from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from sqlalchemy import select

from tests.worklist.datasets import make_radiograph, write
from worklist import archive, audit, clock, database
from worklist.dicom.header import read_header
from worklist.intake import quarantine
from worklist.intake.identity import SetAside
from worklist.intake.register import register
from worklist.tables import Source
from worklist.triage.policy import first_place

PATIENT = "OTHER^Otto"
# Without them the pixels of an image cannot be read.
READABLE = {
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "WindowCenter": 2048,
    "WindowWidth": 4096,
}


def receive(ae_title: str, address: str, **values: object) -> int | None:
    """Receive one radiograph; return the id of its quarantine if it was set aside."""
    spooled = archive.Spooled()
    with NamedTemporaryFile() as file:
        spooled.write(write(make_radiograph(**values), Path(file.name)).read_bytes())
    kept = spooled.keep(clock.now())
    header = read_header(archive.path_of(kept.file_path))
    with database.reading() as session:
        named = select(Source).where(Source.ae_title == ae_title, Source.address == address)
        source = session.scalars(named).one_or_none()
    try:
        with database.transaction() as session:
            register(session, header, kept, source=source, first_place=first_place)
    except SetAside as why:
        aside = archive.quarantine(kept)
        with database.transaction() as session:
            return quarantine.hold(session, aside, header, why=why, source=source)
    return None


def hold_images(ae_title: str, address: str) -> list[int]:
    """Receive a study, an image of another patient in it, and one of its UIDs in another study.

    The image of the other patient grows brighter to the right; the pixels of the other cannot be read.
    """
    first = make_radiograph(
        PatientName="EXAMPLE^Rita",
        PatientBirthDate="19700412",
        PatientSex="F",
        AccessionNumber="A-20260302-1",
        StudyDescription="Wrist right, two views",
    )
    same = {element.keyword: element.value for element in first if element.keyword != "SpecificCharacterSet"}
    receive(ae_title, address, **same)
    uid = {"StudyInstanceUID": first.StudyInstanceUID}
    other = {"PatientName": PATIENT, "PatientBirthDate": "19880131", "PatientSex": "M", "PatientID": "P-2"}
    ramp = np.tile(np.linspace(0, 4095, 400).astype("<u2"), (600, 1))
    pixels = {**READABLE, "Rows": 600, "Columns": 400, "PixelData": ramp.tobytes()}
    wrong_patient = receive(ae_title, address, **{**uid, **other, **pixels, "AccessionNumber": "A-20260302-7"})
    elsewhere = {**same, "StudyInstanceUID": first.StudyInstanceUID + ".7", "StudyDescription": "Hand right"}
    wrong_study = receive(ae_title, address, **elsewhere)
    assert wrong_patient
    assert wrong_study
    return [wrong_patient, wrong_study]


def reject_all() -> None:
    """Note one rejection of each kind."""
    parties = {"calling": "NEW-DX", "called": "WORKLIST", "address": "10.0.0.20"}
    associations: list[dict[str, str]] = [
        {"why": "unknown_source", "reason": "NEW-DX at 10.0.0.20 is not a known source.", **parties},
        {"why": "switched_off", "reason": "Switched off.", "calling": "OLD-CR", "address": "10.0.0.9"},
        {"why": "wrong_called_ae_title", "reason": "x", **parties, "calling": "CR-ROOM1", "called": "PACS"},
        {"why": "too_many_associations", "reason": "x", **parties, "calling": "CR-ROOM1"},
    ]
    service = {
        "abstract_syntax": "1.2.840.10008.5.1.4.31",
        "name": "Modality Worklist Information Model - FIND",
    }
    refused = {"status": "0xC000", "reason": "(0020,000D) StudyInstanceUID is missing or empty."}
    sender = {"calling": "CR-ROOM1", "address": "10.0.0.7"}
    with database.transaction() as session:
        for detail in associations:
            audit.record(session, "receiver", "association.refused", about=("source", None), **detail)
        audit.record(session, "receiver", "context.refused", about=("source", None), **service, **sender)
        for _ in range(3):
            audit.record(session, "receiver", "instance.refused", about=("instance", None), **refused, **sender)
