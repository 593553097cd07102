"""Tell a source what is committed, on an association of our own.

References
----------
PS3.4 J.3.3; PS3.7 D.3.3.4 (role selection: we call, and are the SCP all the same).
"""

from typing import Any

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context, build_role

from worklist.dicom import commitment
from worklist.errors import Unavailable
from worklist.intake.commitments import Answer
from worklist.intake.sources import Destination
from worklist.sender.call import association

SUCCESS = 0x0000


class NotTaken(Unavailable):
    """The source was reached and did not take the answer."""


def report(answer: Answer, destination: Destination) -> None:
    """Send an N-EVENT-REPORT; return once the source has taken it.

    Raises
    ------
    Unreachable
        If no association comes about.
    NotTaken
        If the source does not want the report.
    """
    context = build_context(commitment.SOP_CLASS_UID, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    role = build_role(commitment.SOP_CLASS_UID, scp_role=True)
    event_type, information = commitment.event_information(
        answer.transaction_uid, answer.references, answer.our_ae_title
    )
    with association(destination, [context], [role]) as opened:
        if not opened.accepted_contexts:
            raise NotTaken(f"{destination.ae_title} takes no storage commitment reports.")
        status = _send(opened, information, event_type)
    if status != SUCCESS:
        said = "no status" if status is None else f"status 0x{status:04X}"
        raise NotTaken(f"{destination.ae_title} answered the report with {said}.")


def _send(opened: Any, information: Any, event_type: int) -> int | None:
    try:
        answered, _ = opened.send_n_event_report(
            information, event_type, commitment.SOP_CLASS_UID, commitment.SOP_INSTANCE_UID
        )
    except (ValueError, RuntimeError) as error:
        raise NotTaken(f"The report could not be sent: {error}.") from error
    status: int | None = answered.get("Status")
    return status
