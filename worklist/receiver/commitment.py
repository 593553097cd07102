"""Storage commitment as SCP: the request becomes rows; its answer goes out by a job, or here and now.

References
----------
PS3.4 Annex J; PS3.7 10.1.1 (N-EVENT-REPORT), 10.1.4 (N-ACTION).
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.dsutils import encode

from worklist import database, logs
from worklist.dicom import commitment
from worklist.errors import Conflict, Invalid, Unavailable, WorklistError
from worklist.intake import commitments, sources
from worklist.intake.commitments import Answer
from worklist.intake.sources import UnknownSource
from worklist.receiver import waiting
from worklist.receiver.parties import sender_of
from worklist.receiver.statuses import Status

log = logs.logger(__name__)

RESPONSE_SECONDS = 30.0
MESSAGE_ID = 1

_BY_ERROR: tuple[tuple[type[WorklistError], Status], ...] = (
    (UnknownSource, Status.NOT_AUTHORISED),
    (Conflict, Status.INVALID_ARGUMENT),
    (Invalid, Status.INVALID_ARGUMENT),
    (Unavailable, Status.RESOURCE_LIMITATION),
)


def on_n_action(event: Any) -> tuple[int, Dataset | None]:
    """Take a request to commit.

    Returns
    -------
    tuple
        0x0000 once the request is committed as rows; 0x0112 for another instance than the well-known one,
        0x0123 for another action, 0x0115 for a data set without UIDs or a transaction UID that was used
        otherwise, 0x0124 if the source may not send any more, 0x0213 if the database is away, 0x0110 for a
        fault of ours.

    References
    ----------
    PS3.4 J.3.2.
    """
    calling = sender_of(event.assoc).calling
    try:
        status = _take(event)
    except WorklistError as error:
        status = next(status for kind, status in _BY_ERROR if isinstance(error, kind))
        log.warning("commitment refused", status=f"0x{status:04X}", reason=str(error), calling=calling)
    except Exception as error:  # the edge: every error becomes a status
        status = Status.PROCESSING_FAILURE
        log.error("commitment refused", calling=calling, exc_info=error)
    return int(status), None


def _take(event: Any) -> Status:
    if event.request.RequestedSOPInstanceUID != commitment.SOP_INSTANCE_UID:
        return Status.NO_SUCH_INSTANCE
    if event.action_type != commitment.REQUEST_COMMITMENT:
        return Status.NO_SUCH_ACTION
    transaction_uid, references = commitment.read_request(_information(event))
    sender = sender_of(event.assoc)
    with database.transaction() as session:
        source = sources.known(session, sender.calling, sender.address)
        commitment_id = commitments.request(
            session, source, transaction_uid, references, our_ae_title=sender.called
        )
        has_port = source.port is not None
    log.info("commitment requested", commitment=commitment_id, images=len(references), calling=sender.calling)
    if not has_port:
        # Nobody said where the source listens: the only way to it is this association, as long as it is open.
        _after_answer(event.assoc.dimse, lambda: _answer_here(event, commitment_id))
    return Status.SUCCESS


def _after_answer(provider: Any, act: Callable[[], None]) -> None:
    """Act once the provider has sent its next message, in the thread that sends it."""
    send = provider.send_msg

    def send_and_act(message: Any, context_id: int) -> None:
        provider.send_msg = send
        send(message, context_id)
        act()

    provider.send_msg = send_and_act


def _information(event: Any) -> Dataset:
    try:
        information: Dataset = event.action_information
        # Sequences are decoded when they are looked at.
        information.decode()
    except Exception as error:  # whatever the decoder stumbles over
        raise Invalid("The Action Information cannot be decoded.") from error
    return information


def _answer_here(event: Any, commitment_id: int) -> None:
    """Send the answer on the association that asked; called in its thread, behind the N-ACTION's response."""
    try:
        _answer(event, commitment_id)
    except Exception as error:  # the edge: the request is kept, and the association is not to suffer
        log.error("commitment not answered", commitment=commitment_id, exc_info=error)


def _answer(event: Any, commitment_id: int) -> None:
    with database.transaction() as session:
        answer = commitments.claim(session, commitment_id, at_once=True)
    if answer is None:
        return
    reason = _report(event, answer)
    with database.transaction() as session:
        if reason:
            commitments.note_failed(session, answer, reason, is_unreachable=False)
        else:
            commitments.note_reported(session, answer)
    log.info("commitment answered", commitment=commitment_id, here=True, reason=reason)


def _report(event: Any, answer: Answer) -> str:
    """Send the N-EVENT-REPORT and return why it was not taken, or nothing if it was."""
    event_type, information = commitment.event_information(
        answer.transaction_uid, answer.references, answer.our_ae_title
    )
    request = N_EVENT_REPORT()
    request.MessageID = MESSAGE_ID
    request.AffectedSOPClassUID = commitment.SOP_CLASS_UID
    request.AffectedSOPInstanceUID = commitment.SOP_INSTANCE_UID
    request.EventTypeID = event_type
    syntax = event.context.transfer_syntax
    request.EventInformation = BytesIO(
        encode(information, syntax.is_implicit_VR, syntax.is_little_endian) or b""
    )
    event.assoc.dimse.send_msg(request, event.context.context_id)
    response = waiting.response(event.assoc, N_EVENT_REPORT, MESSAGE_ID, RESPONSE_SECONDS)
    if response is None:
        return "The association ended before an answer, and the source has no port: see 'worklist source add'."
    if response.Status != Status.SUCCESS:
        return f"The source answered the report with status 0x{response.Status:04X}."
    return ""
