"""DIMSE events → statuses, nothing else.

References
----------
PS3.4 Annex A (verification), PS3.4 Annex B (storage), PS3.7 9.3 (C-services), PS3.8 9.3.4 (A-ASSOCIATE-RJ).
"""

from contextlib import suppress
from typing import Any

from pydicom.dataset import Dataset

from worklist import archive, audit, clock, database, logs
from worklist.archive import Kept
from worklist.dicom.header import InstanceHeader, read_header
from worklist.errors import Unavailable, WorklistError
from worklist.intake import sources
from worklist.intake.register import WrongStudy, register
from worklist.intake.sources import UnknownSource
from worklist.receiver.statuses import (
    PERMANENT,
    SERVICE_USER,
    Mismatch,
    Rejection,
    Status,
    status_of,
)
from worklist.settings import Settings
from worklist.triage.policy import first_rank_key

log = logs.logger(__name__)

WHO = "receiver"
LONGEST_COMMENT = 64
INTERNAL = "A fault in the receiver; its log has the details."


def on_c_echo(_event: Any) -> int:
    """Answer a C-ECHO: we are here.

    Returns
    -------
    int
        Always 0x0000.
    """
    return Status.SUCCESS


def on_c_store(event: Any) -> int | Dataset:
    """Keep what a C-STORE brought.

    Parameters
    ----------
    event : pynetdicom.events.Event
        Its request carries a `worklist.receiver.spool.SpooledDataSet` as data set.

    Returns
    -------
    int or Dataset
        0x0000 once the file is synced and in place *and* its rows are committed; otherwise a failure status
        with the reason as Error Comment (0000,0902): 0xA700 if another try may help, 0xA900 if the data set
        contradicts the command or what is known, 0xC000 if it cannot be understood, 0x0124 if the source may
        not send any more, 0x0110 for a fault of ours.

    References
    ----------
    PS3.4 B.2.3, PS3.7 9.1.1.1.9.
    """
    data_set = event.request.DataSet
    try:
        _store(event, data_set.finish())
    except Exception as error:  # the edge: every error becomes a status
        return _refuse(event, error)
    finally:
        data_set.discard()
    return Status.SUCCESS


def on_requested(event: Any, current: Settings) -> None:
    """Reject an association that calls somebody else, or whose caller is not a known source."""
    calling, called, address = _parties(event)
    if current.require_called_ae_title and called != current.ae_title:
        reason = f"{calling} at {address} calls {called}, and this is {current.ae_title}."
        return _reject(event, Rejection.CALLED_AE_TITLE_NOT_RECOGNISED, reason)
    try:
        with database.transaction() as session:
            sources.recognise(session, calling, address)
    except UnknownSource as error:
        return _reject(event, Rejection.CALLING_AE_TITLE_NOT_RECOGNISED, str(error))
    except Unavailable as error:
        # Accepted unchecked: each C-STORE checks again, and is answered with 0xA700 until it can.
        log.warning("source not checked", calling=calling, address=address, reason=str(error))
    return None


def on_rejected(event: Any) -> None:
    """Log what pynetdicom rejects by itself: more associations than the setting allows."""
    calling, _, address = _parties(event)
    log.warning("association rejected, too many at once", calling=calling, address=address)


def _store(event: Any, path: Any) -> None:
    header = read_header(path)
    _compare(header, event.request)
    kept = archive.keep(path, clock.now())
    _register(event, header, kept)


def _compare(header: InstanceHeader, request: Any) -> None:
    """Make sure that the data set is what the command announced."""
    if header.sop_class_uid != request.AffectedSOPClassUID:
        raise Mismatch("(0008,0016) SOPClassUID differs from the command.")
    if header.sop_instance_uid != request.AffectedSOPInstanceUID:
        raise Mismatch("(0008,0018) SOPInstanceUID differs from the command.")


def _register(event: Any, header: InstanceHeader, kept: Kept) -> None:
    calling, _, address = _parties(event)
    is_registered = False
    try:
        with database.transaction() as session:
            source = sources.known(session, calling, address)
            registered = register(session, header, kept, source=source, first_rank_key=first_rank_key)
            is_registered = True
    except WrongStudy:
        log.warning("file set aside", file=archive.quarantine(kept))
        raise
    except Exception:
        # If the commit itself failed, nobody knows whether it happened: the file stays, and is adopted or
        # found again at the next start.
        if not is_registered:
            archive.remove(kept.file_path)
        raise
    log.info(
        "instance received",
        study=registered.study_id,
        instance=registered.instance_id,
        outcome=registered.outcome.value,
        calling=calling,
        bytes=kept.file_bytes,
    )


def _refuse(event: Any, error: Exception) -> Dataset:
    """Log and audit a refusal, and return its status with the reason for the sender's log."""
    calling, _, address = _parties(event)
    status = status_of(error)
    reason = str(error) if isinstance(error, WorklistError) else INTERNAL
    facts = {
        "status": f"0x{status:04X}",
        "reason": reason,
        "calling": calling,
        "address": address,
        "sop_instance_uid": str(event.request.AffectedSOPInstanceUID),
    }
    if status is Status.PROCESSING_FAILURE:
        log.error("instance refused", **facts, exc_info=error)
    else:
        log.warning("instance refused", **facts)
    _audit("instance.refused", ("instance", None), facts)
    answer = Dataset()
    answer.Status = int(status)
    answer.ErrorComment = reason.encode("ascii", "replace").decode("ascii")[:LONGEST_COMMENT]
    return answer


def _reject(event: Any, diagnostic: Rejection, reason: str) -> None:
    calling, called, address = _parties(event)
    facts = {"reason": reason, "calling": calling, "called": called, "address": address}
    log.warning("association refused", **facts)
    _audit("association.refused", ("source", None), facts)
    event.assoc.acse.send_reject(PERMANENT, SERVICE_USER, int(diagnostic))
    event.assoc.kill()


def _audit(action: str, about: tuple[str, int | None], facts: dict[str, str]) -> None:
    # Without a database there is no audit stream either; the log has it.
    with suppress(Unavailable), database.transaction() as session:
        audit.record(session, WHO, action, about=about, **facts)


def _parties(event: Any) -> tuple[str, str, str]:
    """Return calling AE title, called AE title and network address."""
    request = event.assoc.requestor.primitive
    address = sources.canonical(event.assoc.requestor.address_info.address)
    return str(request.calling_ae_title).strip(), str(request.called_ae_title).strip(), address
