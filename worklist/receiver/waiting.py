"""Wait, in the association's own thread, for the peer's answer to something that we have asked meanwhile."""

import queue
from typing import Any

from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT, A_RELEASE
from pynetdicom.timer import Timer

LOOK_SECONDS = 0.01


def response(association: Any, kind: type[Any], message_id: int, seconds: float) -> Any:
    """Return the peer's response of a kind, or None if the peer goes or takes too long.

    The peer may ask for something else before: that is served first.
    """
    timer = Timer(seconds)
    timer.start()
    while not timer.expired and association.is_established and association.dul.is_alive():
        try:
            context_id, message = association.dimse.msg_queue.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            if is_leaving(association):
                return None
            continue
        if isinstance(message, kind) and message.MessageIDBeingRespondedTo == message_id:
            return message
        association._serve_request(message, context_id)
    return None


def is_leaving(association: Any) -> bool:
    """Say if the peer has released or aborted, which is left for the association's own loop to handle."""
    if not association.is_established or not association.dul.is_alive():
        return True
    return isinstance(association.dul.peek_next_pdu(), (A_RELEASE, A_ABORT, A_P_ABORT))
