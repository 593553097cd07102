"""The job that answers a commitment request: claim, call, note."""

from worklist import database, logs
from worklist.errors import WorklistError
from worklist.intake import commitments
from worklist.sender.call import Unreachable
from worklist.sender.commitment import report

log = logs.logger(__name__)


def report_commitment(commitment_id: int) -> None:
    """Answer a commitment request if it is due; what fails is tried again later, by the sweep."""
    with database.transaction() as session:
        answer = commitments.claim(session, commitment_id)
    if answer is None or answer.destination is None:
        return
    try:
        report(answer, answer.destination)
    except WorklistError as error:
        log.warning("commitment not answered", commitment=commitment_id, reason=str(error))
        with database.transaction() as session:
            is_unreachable = isinstance(error, Unreachable)
            commitments.note_failed(session, answer, str(error), is_unreachable=is_unreachable)
        return
    with database.transaction() as session:
        commitments.note_reported(session, answer)
    log.info("commitment answered", commitment=commitment_id)
