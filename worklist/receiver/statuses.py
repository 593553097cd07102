"""The DIMSE statuses we answer, and the association rejections, each with its chapter."""

from enum import IntEnum

from pydicom.dataset import Dataset

from worklist.errors import Invalid, Unavailable, WorklistError
from worklist.intake.sources import UnknownSource
from worklist.receiver.command import LONGEST_COMMENT


class Status(IntEnum):
    """Statuses of the responses of all services.

    References
    ----------
    PS3.4 Table B.2-1 (storage service), PS3.4 J.3.2 (storage commitment), PS3.7 Annex C (general).
    """

    SUCCESS = 0x0000
    """PS3.7 C.1.1. The file is on disk and its rows are committed."""

    SET_ASIDE = 0xB007
    """PS3.4 B.2.3, a warning. Kept, but it contradicts what is known: an administrator decides on it."""

    PROCESSING_FAILURE = 0x0110
    """PS3.7 C.5. A fault of ours, which the log has, or a change to a step that has ended."""

    INVALID_ATTRIBUTE = 0x0106
    """PS3.7 C.5. A performed procedure step with a status or UID that is none."""

    DUPLICATE_INSTANCE = 0x0111
    """PS3.7 C.5. A performed procedure step that was begun before."""

    MISSING_ATTRIBUTE = 0x0120
    """PS3.7 C.5. A performed procedure step without status, study or SOP Instance UID."""

    NO_SUCH_INSTANCE = 0x0112
    """PS3.7 C.5. A commitment request to another instance than the well-known one, or a step not begun."""

    INVALID_ARGUMENT = 0x0115
    """PS3.7 C.5. A commitment request without usable UIDs, or with a transaction UID used otherwise before."""

    NO_SUCH_ACTION = 0x0123
    """PS3.7 C.5. Another action than 'request storage commitment'."""

    NOT_AUTHORISED = 0x0124
    """PS3.7 C.5. The sender is not a known source."""

    RESOURCE_LIMITATION = 0x0213
    """PS3.7 C.5. A commitment request or a step while the database is away."""

    CANNOT_COUNT = 0xA701
    """PS3.4 C.4.2.1.5. A retrieval of more images than an answer can count."""

    SUB_OPERATIONS_IMPOSSIBLE = 0xA702
    """PS3.4 C.4.2.1.5. A retrieval of which no image could be sent."""

    DESTINATION_UNKNOWN = 0xA801
    """PS3.4 C.4.2.1.5. The move destination is no source with a port."""

    SOME_FAILED = 0xB000
    """PS3.4 C.4.2.1.5. A retrieval of which some images could not be sent, or were taken with a warning."""

    CANCELLED = 0xFE00
    """PS3.4 C.4.1.1.4. The peer has cancelled its query or retrieval."""

    PENDING = 0xFF00
    """PS3.4 C.4.1.1.4. A match, or one more image has been sent."""

    PENDING_WITHOUT_SOME_KEYS = 0xFF01
    """PS3.4 C.4.1.1.4. A match, of a query with keys that are not supported."""

    OUT_OF_RESOURCES = 0xA700
    """PS3.4 B.2.3, C.4.1.1.4. Disk full or database away, or too many matches: worth another try."""

    DOES_NOT_MATCH = 0xA900
    """PS3.4 B.2.3. The data set contradicts the command."""

    CANNOT_UNDERSTAND = 0xC000
    """PS3.4 B.2.3. No data set, no usable UIDs, or no DICOM at all."""


def with_comment(status: Status, comment: str) -> Dataset:
    """Return a status with its reason as Error Comment (0000,0902), as pynetdicom's handlers answer it."""
    answer = Dataset()
    answer.Status = int(status)
    answer.ErrorComment = comment.encode("ascii", "replace").decode("ascii")[:LONGEST_COMMENT]
    return answer


class Mismatch(Invalid):
    """The data set is not the instance that the command announced."""


class TooLarge(Invalid):
    """The object is larger than this site accepts."""


_BY_ERROR: tuple[tuple[type[WorklistError], Status], ...] = (
    (UnknownSource, Status.NOT_AUTHORISED),
    (TooLarge, Status.OUT_OF_RESOURCES),
    (Mismatch, Status.DOES_NOT_MATCH),
    (Unavailable, Status.OUT_OF_RESOURCES),
    (Invalid, Status.CANNOT_UNDERSTAND),
)


def status_of(error: Exception) -> Status:
    """Return what to answer for an error."""
    for kind, status in _BY_ERROR:
        if isinstance(error, kind):
            return status
    return Status.PROCESSING_FAILURE


class Rejection(IntEnum):
    """Diagnostics of an A-ASSOCIATE-RJ by the service user (PS3.8 Table 9-21)."""

    CALLING_AE_TITLE_NOT_RECOGNISED = 3
    CALLED_AE_TITLE_NOT_RECOGNISED = 7


PERMANENT = 1
SERVICE_USER = 1
