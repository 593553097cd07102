"""C-STORE of a kept file over an open association: its bytes as they are, and never all of them in memory.

References
----------
PS3.4 B.2; PS3.7 9.1.1.
"""

import time
from pathlib import Path
from typing import Any

from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import split_dataset

MOST_WAITING_PDUS = 32
LOW_PRIORITY = 2


class NotAccepted(Exception):
    """The peer has not accepted this SOP class in this transfer syntax, and nothing is transcoded."""


def send_request(
    association: Any, path: Path, *, message_id: int, originator: tuple[str, int] | None = None
) -> None:
    """Send a C-STORE request with the data set of a file; whoever calls waits for the response.

    Parameters
    ----------
    originator
        AE title and message ID of the C-MOVE that this is part of.

    Raises
    ------
    NotAccepted
        If there is no presentation context for it.
    OSError
        If the file cannot be read.
    """
    meta, offset = split_dataset(path)
    try:
        context = association._get_valid_context(
            meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID, "scu", allow_conversion=False
        )
    except ValueError as error:
        raise NotAccepted from error
    request = C_STORE()
    request.MessageID, request.Priority = message_id, LOW_PRIORITY
    request.AffectedSOPClassUID = meta.MediaStorageSOPClassUID
    request.AffectedSOPInstanceUID = meta.MediaStorageSOPInstanceUID
    request._dataset_path = (path, offset)
    if originator is not None:
        request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID = originator
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    waiting = association.dul.to_provider_queue
    for pdus in message.encode_msg(context.context_id, association.dimse.maximum_pdu_size):
        # The queue has no end of its own: a slow peer would have the whole file wait in memory.
        while waiting.qsize() > MOST_WAITING_PDUS and association.is_established and association.dul.is_alive():
            time.sleep(0.001)
        association.dul.send_pdu(pdus)
