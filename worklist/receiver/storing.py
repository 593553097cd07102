"""From what a sender brought to its status: the one path of C-STORE and of the web."""

from contextlib import suppress
from dataclasses import dataclass

from worklist import audit, database, logs
from worklist.dicom.header import InstanceHeader, read_header
from worklist.errors import Unavailable, WorklistError
from worklist.receiver.command import StoreCommand
from worklist.receiver.keeping import Sender, keep
from worklist.receiver.spool import Incoming
from worklist.receiver.statuses import Mismatch, Status, status_of

log = logs.logger(__name__)

WHO = "receiver"
INTERNAL = "A fault in the receiver; its log has the details."


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one instance; a study only if it was kept."""

    status: int
    comment: str = ""
    study_id: int | None = None


def store(sender: Sender, incoming: Incoming, study_instance_uid: str = "") -> Stored:
    """Keep what somebody sent.

    Parameters
    ----------
    study_instance_uid
        The study that it must belong to; empty: any.

    Returns
    -------
    Stored
        0x0000 once the file is synced and in place *and* its rows are committed; otherwise a failure status
        and the reason as Error Comment (0000,0902): 0xA700 if another try may help, 0xA900 if the data set
        contradicts the command or what is known, 0xC000 if it cannot be understood, 0x0124 if the source may
        not send any more, 0x0110 for a fault of ours.

    References
    ----------
    PS3.4 B.2.3, PS3.7 9.1.1.1.9.
    """
    try:
        spooled = incoming.finish()
        header = read_header(spooled.path)
        _compare(header, incoming.command)
        if study_instance_uid and header.study_instance_uid != study_instance_uid:
            raise Mismatch("(0020,000D) StudyInstanceUID differs from the request's.")
        return Stored(Status.SUCCESS, study_id=keep(spooled, header, sender).study_id)
    except Exception as error:  # the edge: every error becomes a status
        return refuse(sender, incoming.command, error)
    finally:
        incoming.discard()


def _compare(header: InstanceHeader, command: StoreCommand) -> None:
    """Make sure that the data set is what the command announced."""
    if header.sop_class_uid != command.sop_class_uid:
        raise Mismatch("(0008,0016) SOPClassUID differs from the command.")
    if header.sop_instance_uid != command.sop_instance_uid:
        raise Mismatch("(0008,0018) SOPInstanceUID differs from the command.")


def refuse(sender: Sender, command: StoreCommand, error: Exception) -> Stored:
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
    note("instance.refused", ("instance", None), facts)
    return Stored(status, reason)


def note(action: str, about: tuple[str, int | None], facts: dict[str, str]) -> None:
    """Write into the audit stream that something was refused."""
    # Without a database there is no audit stream either; the log has it.
    with suppress(Unavailable), database.transaction() as session:
        audit.record(session, WHO, action, about=about, **facts)
