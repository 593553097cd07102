"""Instances that come over the web: each part goes to the spool as it comes, and then the way of every C-STORE.

References
----------
PS3.18 10.5 (Store Transaction).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from worklist.dicom.elements import LONGEST_VALUE, split_head
from worklist.errors import Invalid
from worklist.receiver import refusals
from worklist.receiver.command import StoreCommand
from worklist.receiver.keeping import Sender
from worklist.receiver.multipart import Multipart
from worklist.receiver.spool import Incoming
from worklist.receiver.statuses import Status
from worklist.receiver.storing import store


@dataclass(frozen=True)
class PartResult:
    """What became of one part; without UIDs if it was no DICOM file."""

    sop_class_uid: str
    sop_instance_uid: str
    status: int
    comment: str

    @property
    def is_stored(self) -> bool:
        """Say if it is kept, be it apart."""
        return self.status in {Status.SUCCESS, Status.SET_ASIDE}

    @property
    def has_warning(self) -> bool:
        """Say if it is kept apart."""
        return self.status == Status.SET_ASIDE


def store_parts(sender: Sender, body: Multipart, study_instance_uid: str = "") -> Iterator[PartResult]:
    """Keep every part of a body, and yield what became of each.

    Raises
    ------
    Invalid
        If the body is no multipart body; the parts before have been dealt with.
    Overflow
        If a part goes on beyond every limit.
    """
    for pieces in body:
        yield _store(sender, pieces, study_instance_uid)


def _store(sender: Sender, pieces: Iterator[bytes], study_instance_uid: str) -> PartResult:
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= LONGEST_VALUE:
            break
    try:
        (sop_class_uid, sop_instance_uid, syntax), start = split_head(head)
        if not (sop_class_uid and sop_instance_uid and syntax):
            raise Invalid("The File Meta Information lacks a UID.")
    except Invalid as error:
        return PartResult("", "", *refusals.refuse(sender, StoreCommand(0, "", "", has_data_set=True), error))
    # Its own File Meta Information is dropped: the same instance gives the same file, however it came.
    incoming = Incoming(StoreCommand(0, sop_class_uid, sop_instance_uid, has_data_set=True), 0, syntax)
    try:
        incoming.write(head[start:])
        for piece in pieces:
            incoming.write(piece)
    except BaseException:
        incoming.discard()
        raise
    stored = store(sender, incoming, study_instance_uid)
    return PartResult(sop_class_uid, sop_instance_uid, stored.status, stored.comment)
