"""Modality Performed Procedure Step as SCP: kept as a hint when a study is complete, and for nothing else.

References
----------
PS3.4 F.7; PS3.7 10.1.3 (N-SET), 10.1.5 (N-CREATE).
"""

from collections.abc import Callable
from typing import Any

from pydicom.dataset import Dataset
from sqlalchemy.orm import Session

from worklist import database, logs
from worklist.dicom.header import UID
from worklist.dicom.performed_step import MissingAttribute, Step, read_step
from worklist.errors import Invalid, NotFound, Unavailable, WorklistError
from worklist.intake import performed_steps, sources
from worklist.intake.performed_steps import Ended, Known
from worklist.intake.sources import UnknownSource
from worklist.receiver.parties import sender_of
from worklist.receiver.statuses import Status, with_comment
from worklist.tables import Source

log = logs.logger(__name__)

Answer = tuple[int | Dataset, Dataset | None]
_BY_ERROR: tuple[tuple[type[WorklistError], Status], ...] = (
    (UnknownSource, Status.NOT_AUTHORISED),
    (Known, Status.DUPLICATE_INSTANCE),
    (Ended, Status.PROCESSING_FAILURE),
    (NotFound, Status.NO_SUCH_INSTANCE),
    (MissingAttribute, Status.MISSING_ATTRIBUTE),
    (Invalid, Status.INVALID_ATTRIBUTE),
    (Unavailable, Status.RESOURCE_LIMITATION),
)


def on_n_create(event: Any) -> Answer:
    """Take note that a modality has begun.

    Returns
    -------
    tuple
        0x0000; 0x0111 if it has said so before, 0x0120 if status, study or SOP Instance UID is missing, 0x0106
        if one of them is wrong, 0x0124 if the source may not send any more, 0x0213 if the database is away,
        0x0110 for a fault of ours.
    """
    uid = str(event.request.AffectedSOPInstanceUID or "")
    return _answer(event, uid, lambda: event.attribute_list, performed_steps.begin)


def on_n_set(event: Any) -> Answer:
    """Take note of what a modality has made, and that it has ended.

    Returns
    -------
    tuple
        0x0000; 0x0112 if it has not begun, 0x0110 if it has ended before, 0x0106 if a value is wrong, and as
        for N-CREATE.
    """
    uid = str(event.request.RequestedSOPInstanceUID or "")
    return _answer(event, uid, lambda: event.modification_list, performed_steps.change)


def _answer(
    event: Any,
    uid: str,
    attributes: Callable[[], Dataset],
    note: Callable[[Session, Source, str, Step], None],
) -> Answer:
    sender = sender_of(event.assoc)
    try:
        if len(uid) > 64 or not UID.fullmatch(uid):
            raise MissingAttribute("The SOP Instance UID of a performed procedure step is missing or none.")
        step = _step(attributes)
        with database.transaction() as session:
            note(session, sources.known(session, sender.calling, sender.address), uid, step)
    except WorklistError as error:
        status = next((status for kind, status in _BY_ERROR if isinstance(error, kind)))
        log.warning("step refused", status=f"0x{status:04X}", reason=str(error), calling=sender.calling)
        return with_comment(status, str(error)), None
    except Exception as error:  # the edge: every error becomes a status
        log.error("step refused", calling=sender.calling, exc_info=error)
        return int(Status.PROCESSING_FAILURE), None
    log.info("step noted", step=uid, state=step.state, calling=sender.calling)
    return int(Status.SUCCESS), None


def _step(attributes: Callable[[], Dataset]) -> Step:
    try:
        given = attributes()
        given.decode()
    except Exception as error:  # whatever the decoder stumbles over
        raise Invalid("The attributes of the performed procedure step cannot be decoded.") from error
    return read_step(given)
