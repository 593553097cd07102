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
from worklist.errors import Unavailable
from worklist.intake import sources
from worklist.intake.rejections import Why
from worklist.intake.sources import SwitchedOff, UnknownSource
from worklist.receiver import refusals
from worklist.receiver.parties import sender_of
from worklist.receiver.services import SERVICES
from worklist.receiver.spool import Incoming
from worklist.receiver.statuses import PERMANENT, SERVICE_USER, Rejection, Status
from worklist.receiver.storing import store
from worklist.settings import Settings

log = logs.logger(__name__)

OFFERED = (StorageServiceClass, VerificationServiceClass, ServiceClass)
"""The last one stands for SOP classes that pynetdicom does not know: private and new ones are kept too."""


def on_c_echo(_event: Any) -> int:
    """Answer a C-ECHO: we are here.

    Returns
    -------
    int
        Always 0x0000.
    """
    return Status.SUCCESS


def on_c_store(association: Any, incoming: Incoming) -> tuple[int, str]:
    """Keep what a C-STORE brought, and answer with status and comment (`storing.store`)."""
    stored = store(sender_of(association), incoming)
    if stored.study_id is not None:
        association.last_study_id = stored.study_id
    return stored.status, stored.comment


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


def on_rejected(event: Any, current: Settings) -> None:
    """Note what pynetdicom rejects by itself: more associations than the setting allows."""
    reason = f"More than the {current.maximum_associations} associations of WORKLIST_MAXIMUM_ASSOCIATIONS."
    refusals.note_rejected(sender_of(event.assoc), Why.TOO_MANY_ASSOCIATIONS, reason)


def on_accepted(event: Any) -> None:
    """Note what an association asked for and cannot have: services that are none of a receiver's.

    pynetdicom itself accepts some of them, such as Modality Worklist, since it does not know their names, and
    answers their requests with a failure.
    """
    association = event.assoc
    contexts = [*association.rejected_contexts, *association.accepted_contexts]
    asked = sorted({str(context.abstract_syntax) for context in contexts})
    refusals.note_contexts(
        sender_of(association), {uid: UID(uid).name for uid in asked if not _is_offered(uid)}
    )


def _is_offered(abstract_syntax: str) -> bool:
    return abstract_syntax in SERVICES or uid_to_service_class(abstract_syntax) in OFFERED


def _reject(event: Any, diagnostic: Rejection) -> None:
    event.assoc.acse.send_reject(PERMANENT, SERVICE_USER, int(diagnostic))
    event.assoc.kill()
