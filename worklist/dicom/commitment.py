"""The data sets of Storage Commitment: what is asked, and what is answered.

References
----------
PS3.4 J.3.2 (N-ACTION), J.3.3 (N-EVENT-REPORT); PS3.3 C.14 (failure reasons).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from pydicom.dataset import Dataset

from worklist.dicom.header import UID
from worklist.errors import Invalid

SOP_CLASS_UID = "1.2.840.10008.1.20.1"
SOP_INSTANCE_UID = "1.2.840.10008.1.20.1.1"
REQUEST_COMMITMENT = 1
ALL_COMMITTED, FAILURES_EXIST = 1, 2


class FailureReason(IntEnum):
    """Values of Failure Reason (0008,1197) that we give."""

    NO_SUCH_OBJECT_INSTANCE = 0x0112
    """There is no row, or its file is missing or has another length."""

    CLASS_INSTANCE_CONFLICT = 0x0119
    """It is kept under another SOP class than the one asked about."""


@dataclass(frozen=True)
class Reference:
    """One image that a source asks about, and why it is not committed (None: it is)."""

    sop_class_uid: str
    sop_instance_uid: str
    failure_reason: int | None = None


def read_request(information: Dataset) -> tuple[str, list[Reference]]:
    """Return transaction UID and references of an N-ACTION's Action Information.

    Raises
    ------
    Invalid
        If one of them is missing or no UID.
    """
    references = [
        Reference(
            _uid(item, "ReferencedSOPClassUID"),
            _uid(item, "ReferencedSOPInstanceUID"),
        )
        for item in information.get("ReferencedSOPSequence") or []
    ]
    if not references:
        raise Invalid("(0008,1199) ReferencedSOPSequence is missing or empty.")
    return _uid(information, "TransactionUID"), references


def event_information(
    transaction_uid: str, references: Sequence[Reference], retrieve_ae_title: str
) -> tuple[int, Dataset]:
    """Return event type and Event Information of the answer: 1 if all are committed, 2 if some are not."""
    kept = [_item(each) for each in references if each.failure_reason is None]
    failed = [_item(each) for each in references if each.failure_reason is not None]
    answer = Dataset()
    answer.TransactionUID = transaction_uid
    if kept:
        answer.RetrieveAETitle = retrieve_ae_title
        answer.ReferencedSOPSequence = kept
    if failed:
        answer.FailedSOPSequence = failed
    return (FAILURES_EXIST if failed else ALL_COMMITTED), answer


def _item(reference: Reference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    if reference.failure_reason is not None:
        item.FailureReason = int(reference.failure_reason)
    return item


def _uid(item: Any, keyword: str) -> str:
    value = str(item.get(keyword) or "")
    if len(value) > 64 or not UID.fullmatch(value):
        raise Invalid(f"{keyword} of a commitment request is missing or no UID.")
    return value
