"""From what a sender brought to its status: the one path of C-STORE and of the web."""

from dataclasses import dataclass

from worklist.dicom.header import InstanceHeader, read_header
from worklist.intake.identity import SetAside
from worklist.receiver import refusals
from worklist.receiver.command import StoreCommand
from worklist.receiver.keeping import Sender, keep
from worklist.receiver.spool import Incoming
from worklist.receiver.statuses import Mismatch, Status

KEPT_APART = "Kept apart: an administrator decides where it belongs."


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one instance; a study only if it has its place in one."""

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
        0x0000 once the file is synced and in place *and* its rows are committed; the warning 0xB007 if it is
        kept as safely, but apart, because it contradicts what is known; otherwise a failure status, and the
        reason as Error Comment (0000,0902): 0xA700 if another try may help, 0xA900 if the data set
        contradicts the command, 0xC000 if it cannot be understood, 0x0124 if the source may not send any
        more, 0x0110 for a fault of ours.

    References
    ----------
    PS3.4 B.2.3, PS3.7 9.1.1.1.9.
    """
    try:
        spooled = incoming.finish()
        header = read_header(spooled.content)
        _compare(header, incoming.command)
        if study_instance_uid and header.study_instance_uid != study_instance_uid:
            raise Mismatch("(0020,000D) StudyInstanceUID differs from the request's.")
        return Stored(Status.SUCCESS, study_id=keep(spooled, header, sender).study_id)
    except SetAside:
        return Stored(Status.SET_ASIDE, KEPT_APART)
    except Exception as error:  # the edge: every error becomes a status
        return Stored(*refusals.refuse(sender, incoming.command, error))
    finally:
        incoming.discard()


def _compare(header: InstanceHeader, command: StoreCommand) -> None:
    """Make sure that the data set is what the command announced."""
    if header.sop_class_uid != command.sop_class_uid:
        raise Mismatch("(0008,0016) SOPClassUID differs from the command.")
    if header.sop_instance_uid != command.sop_instance_uid:
        raise Mismatch("(0008,0018) SOPInstanceUID differs from the command.")
