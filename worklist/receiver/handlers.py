"""DIMSE events → statuses, nothing else.

References
----------
PS3.4 Annex A (verification), PS3.4 Annex B (storage), PS3.7 9.3 (C-services), PS3.8 9.3.4 (A-ASSOCIATE-RJ).
"""

from typing import Any

from pydicom.uid import UID
from pynetdicom.service_class import ServiceClass, StorageServiceClass, VerificationServiceClass
from pynetdicom.sop_class import uid_to_service_class

from worklist import database, logs
from worklist.dicom.header import InstanceHeader, read_header
from worklist.errors import Unavailable
from worklist.intake import sources
from worklist.intake.identity import SetAside
from worklist.intake.rejections import Why
from worklist.intake.sources import SwitchedOff, UnknownSource
from worklist.receiver import refusals
from worklist.receiver.command import StoreCommand
from worklist.receiver.keeping import Sender, keep
from worklist.receiver.parties import sender_of
from worklist.receiver.spool import Incoming
from worklist.receiver.statuses import PERMANENT, SERVICE_USER, Mismatch, Rejection, Status
from worklist.settings import Settings

log = logs.logger(__name__)

OFFERED = (StorageServiceClass, VerificationServiceClass, ServiceClass)
"""The last one stands for SOP classes that pynetdicom does not know: private and new ones are kept too."""

KEPT_APART = "Kept apart: an administrator decides where it belongs."


def on_c_echo(_event: Any) -> int:
    """Answer a C-ECHO: we are here.

    Returns
    -------
    int
        Always 0x0000.
    """
    return Status.SUCCESS


def on_c_store(association: Any, incoming: Incoming) -> tuple[int, str]:
    """Keep what a C-STORE brought.

    Returns
    -------
    tuple of int and str
        0x0000 once the file is synced and in place *and* its rows are committed; the warning 0xB007 if it is
        kept as safely, but apart, because it contradicts what is known; otherwise a failure status, and the
        reason as Error Comment (0000,0902): 0xA700 if another try may help, 0xA900 if the data set
        contradicts the command, 0xC000 if it cannot be understood, 0x0124 if the source may not send any
        more, 0x0110 for a fault of ours.

    References
    ----------
    PS3.4 B.2.3, PS3.7 9.1.1.1.9.
    """
    sender = sender_of(association)
    try:
        spooled = incoming.finish()
        header = read_header(spooled.path)
        _compare(header, incoming.command)
        association.last_study_id = keep(spooled, header, sender).study_id
    except SetAside:
        return Status.SET_ASIDE, KEPT_APART
    except Exception as error:  # the edge: every error becomes a status
        return refusals.refuse(sender, incoming.command, error)
    finally:
        incoming.discard()
    return Status.SUCCESS, ""


def on_requested(event: Any, current: Settings) -> None:
    """Reject an association that calls somebody else, or whose caller is not a known source."""
    sender = sender_of(event.assoc)
    calling, called, address = sender.calling, sender.called, sender.address
    if current.require_called_ae_title and called != current.ae_title:
        reason = f"{calling} at {address} calls {called}, and this is {current.ae_title}."
        refusals.note_rejected(sender, Why.WRONG_CALLED_AE_TITLE, reason)
        return _reject(event, Rejection.CALLED_AE_TITLE_NOT_RECOGNISED)
    try:
        with database.transaction() as session:
            sources.recognise(session, calling, address)
    except UnknownSource as error:
        why = Why.SWITCHED_OFF if isinstance(error, SwitchedOff) else Why.UNKNOWN_SOURCE
        refusals.note_rejected(sender, why, str(error))
        return _reject(event, Rejection.CALLING_AE_TITLE_NOT_RECOGNISED)
    except Unavailable as error:
        # Accepted unchecked: each C-STORE checks again, and is answered with 0xA700 until it can.
        log.warning("source not checked", calling=calling, address=address, reason=str(error))
    return None


def on_rejected(event: Any) -> None:
    """Log what pynetdicom rejects by itself: more associations than the setting allows."""
    sender = sender_of(event.assoc)
    log.warning("association rejected, too many at once", calling=sender.calling, address=sender.address)


def _compare(header: InstanceHeader, command: StoreCommand) -> None:
    """Make sure that the data set is what the command announced."""
    if header.sop_class_uid != command.sop_class_uid:
        raise Mismatch("(0008,0016) SOPClassUID differs from the command.")
    if header.sop_instance_uid != command.sop_instance_uid:
        raise Mismatch("(0008,0018) SOPInstanceUID differs from the command.")


def _refuse(sender: Sender, command: StoreCommand, error: Exception) -> tuple[int, str]:
    """Log and audit a refusal, and return its status with the reason for the sender's log."""
    status = status_of(error)
    reason = str(error) if isinstance(error, WorklistError) else INTERNAL
    facts = {
        "status": f"0x{status:04X}",
        "reason": reason,
        "calling": sender.calling,
        "address": sender.address,
        "sop_instance_uid": command.sop_instance_uid[:64],
    }
    if status is Status.PROCESSING_FAILURE:
        log.error("instance refused", **facts, exc_info=error)
    else:
        log.warning("instance refused", **facts)
    _audit("instance.refused", ("instance", None), facts)
    return status, reason


def _reject(event: Any, diagnostic: Rejection, reason: str) -> None:
    sender = sender_of(event.assoc)
    facts = {"reason": reason, "calling": sender.calling, "called": sender.called, "address": sender.address}
    log.warning("association refused", **facts)
    _audit("association.refused", ("source", None), facts)
    event.assoc.acse.send_reject(PERMANENT, SERVICE_USER, int(diagnostic))
    event.assoc.kill()


def _audit(action: str, about: tuple[str, int | None], facts: dict[str, str]) -> None:
    # Without a database there is no audit stream either; the log has it.
    with suppress(Unavailable), database.transaction() as session:
        audit.record(session, WHO, action, about=about, **facts)
