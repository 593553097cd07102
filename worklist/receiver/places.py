"""Places for associations: a silent one keeps its place for as long as nobody else needs it."""

import threading
from contextlib import suppress
from socket import SHUT_RDWR
from typing import Any

from pynetdicom import AE

from worklist import logs

log = logs.logger(__name__)

IDLE_SECONDS = 12 * 3600
"""Seconds of silence after which an association is aborted; some modalities keep one open for a whole shift."""

GRANTED_SECONDS = 120
"""Seconds of silence that nobody loses a place for."""

LEAVING_SECONDS = 1.0
"""How long a peer may take to close after it was aborted."""

_one_at_a_time = threading.Lock()


def make_place(entity: AE) -> None:
    """Abort the association that has been silent longest, if all places are taken and others could use it."""
    with _one_at_a_time:
        taken: list[Any] = [one for one in entity.active_associations if one.is_acceptor]
        if len(taken) < entity.maximum_associations:
            return
        longest = max(taken, key=silence)
        if silence(longest) < GRANTED_SECONDS:
            return
        log.info("association gives its place to another", silent_seconds=round(silence(longest)))
        _end(longest)


def silence(association: Any) -> float:
    """Return for how many seconds a peer has sent nothing."""
    timer = association.dul._idle_timer
    return float(timer.timeout - timer.remaining)


def _end(association: Any) -> None:
    # Its own thread aborts it: nobody else knows whether it is answering just now.
    association.network_timeout = GRANTED_SECONDS
    association.wake()
    association.join(LEAVING_SECONDS)
    connection = association.dul.socket
    if association.is_alive() and connection is not None and connection.socket is not None:
        with suppress(OSError):
            connection.socket.shutdown(SHUT_RDWR)
        association.join(LEAVING_SECONDS)
