"""C-FIND at study root: what is held, told to known sources.

References
----------
PS3.4 C.4.1.
"""

from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset

from worklist import audit, database, logs, settings
from worklist.errors import Invalid, Unavailable, WorklistError
from worklist.holdings import search
from worklist.holdings.search import Matches, TooMany
from worklist.intake import sources
from worklist.intake.sources import UnknownDestination, UnknownSource
from worklist.receiver.parties import sender_of
from worklist.receiver.statuses import Status, with_comment

log = logs.logger(__name__)

INTERNAL = "A fault in the receiver; its log has the details."
_BY_ERROR: tuple[tuple[type[WorklistError], Status], ...] = (
    (UnknownSource, Status.NOT_AUTHORISED),
    (UnknownDestination, Status.DESTINATION_UNKNOWN),
    (TooMany, Status.CANNOT_COUNT),
    (Unavailable, Status.OUT_OF_RESOURCES),
    (Invalid, Status.DOES_NOT_MATCH),
)


def on_c_find(event: Any) -> Iterator[tuple[int | Dataset, Dataset | None]]:
    """Answer a query.

    Yields
    ------
    tuple
        0xFF00 and a data set for each match (0xFF01 if some keys are not supported), then nothing (pynetdicom
        adds 0x0000); 0xFE00 if the peer cancels, 0xA700 if there are more matches than are told or the
        database is away, 0xA900 if the identifier breaks the rules, 0x0124 if the source may not ask, 0xC000
        for a fault of ours.
    """
    try:
        matches = _find(event)
    except Exception as error:  # the edge: every error becomes a status
        yield refusal(event.assoc, error), None
        return
    pending = Status.PENDING if matches.has_all_keys else Status.PENDING_WITHOUT_SOME_KEYS
    for data_set in matches.data_sets:
        if event.is_cancelled:
            yield int(Status.CANCELLED), None
            return
        yield int(pending), data_set
    if matches.is_cut:
        reason = f"More than {search.MOST_MATCHES} matches: narrow the query."
        yield with_comment(Status.OUT_OF_RESOURCES, reason), None


def refusal(association: Any, error: Exception) -> Dataset:
    """Log why a query or retrieval fails, and return its status with the reason."""
    calling = sender_of(association).calling
    status = next((status for kind, status in _BY_ERROR if isinstance(error, kind)), Status.CANNOT_UNDERSTAND)
    if isinstance(error, WorklistError):
        log.warning("query refused", status=f"0x{status:04X}", reason=str(error), calling=calling)
        return with_comment(status, str(error))
    log.error("query refused", status=f"0x{status:04X}", calling=calling, exc_info=error)
    return with_comment(status, INTERNAL)


def _find(event: Any) -> Matches:
    identifier = identifier_of(event)
    sender = sender_of(event.assoc)
    with database.transaction() as session:
        source = sources.known(session, sender.calling, sender.address)
    with database.reading() as session:
        matches = search.find(session, identifier, settings.current().ae_title)
    with database.transaction() as session:
        audit.record(
            session,
            sender.calling,
            "query.answered",
            about=("source", source.id),
            level=str(identifier.QueryRetrieveLevel),
            matches=len(matches.data_sets),
        )
    return matches


def identifier_of(event: Any) -> Dataset:
    """Return the identifier of a request, decoded.

    Raises
    ------
    Invalid
        If it cannot be decoded.
    """
    try:
        identifier: Dataset = event.identifier
        identifier.decode()
    except Exception as error:  # whatever the decoder stumbles over
        raise Invalid("The identifier cannot be decoded.") from error
    return identifier
