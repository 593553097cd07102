"""Call a source: an association with it, opened with time limits and closed for certain."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pynetdicom import AE
from pynetdicom.presentation import PresentationContext

from worklist import certificates, settings
from worklist.dicom import file_meta
from worklist.errors import Unavailable
from worklist.intake.sources import Destination
from worklist.sender.store import send_request

CONNECTION_SECONDS = 5.0
ANSWER_SECONDS = 30.0


class Unreachable(Unavailable):
    """Nobody answers there, or it is no DICOM application that wants to talk to us."""


@contextmanager
def association(
    destination: Destination, contexts: Sequence[PresentationContext], roles: Sequence[Any] = ()
) -> Iterator[Any]:
    """Yield an established association, which is released at the end.

    Raises
    ------
    Unreachable
        If there is no connection, or the association is refused.
    Invalid
        If the destination is called with TLS and the settings lack a certificate or a CA.
    """
    where = f"{destination.ae_title} at {destination.address}:{destination.port}"
    _knock(destination, where)
    entity = AE(ae_title=destination.our_ae_title)
    entity.implementation_class_uid = file_meta.IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = file_meta.IMPLEMENTATION_VERSION_NAME
    entity.connection_timeout = CONNECTION_SECONDS
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = ANSWER_SECONDS
    tls = (
        (certificates.client_context(settings.current()), destination.address) if destination.uses_tls else None
    )
    opened = entity.associate(
        destination.address,
        destination.port,
        contexts=list(contexts),
        ae_title=destination.ae_title,
        ext_neg=list(roles),
        tls_args=tls,
    )
    try:
        if opened.is_rejected:
            raise Unreachable(f"{where} refuses the association: {opened.acceptor.primitive.reason_str}.")
        if not opened.is_established:
            raise Unreachable(f"{where} answers, but no association came about{' over TLS' if tls else ''}.")
        yield opened
        if opened.is_established:
            opened.release()
    finally:
        if opened.is_established:
            opened.abort()
        _close(opened)


def store(opened: Any, path: Path, message_id: int, originator: tuple[str, int]) -> int | None:
    """Send a kept file over an association of ours; return its status, None if there was no answer.

    Raises
    ------
    NotAccepted
        If the peer has not accepted its SOP class in its transfer syntax.
    OSError
        If the file cannot be read.
    """
    if not opened.is_established:
        return None
    pause_reactor(opened)
    try:
        send_request(opened, path, message_id=message_id, originator=originator)
        _, response = opened.dimse.get_msg(block=True)
    finally:
        opened._reactor_checkpoint.set()
    return None if response is None else int(response.Status)


def pause_reactor(opened: Any) -> None:
    """Wait until the association's own thread really waits, so that it cannot take the answer away from us.

    pynetdicom 3.0.4 sets ``_is_paused`` before it waits. Between the two, on a busy machine, that thread passes
    a check point that was cleared too late, picks up the answer to our next C-STORE, and the sender waits for
    it until the DIMSE time-out (seen once in about fifty runs of the tests).
    """
    checkpoint = opened._reactor_checkpoint
    checkpoint.clear()
    while opened.is_alive() and not checkpoint._cond._waiters:
        time.sleep(0.0005)


def _knock(destination: Destination, where: str) -> None:
    """Find out whether anybody listens: pynetdicom only logs why it could not connect, and leaks the socket."""
    try:
        socket.create_connection((destination.address, destination.port), timeout=CONNECTION_SECONDS).close()
    except OSError as error:
        raise Unreachable(f"Nothing answers for {where}.") from error


def _close(opened: Any) -> None:
    """Close the socket, which pynetdicom leaves open if the peer was faster."""
    connection = opened.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.close()
