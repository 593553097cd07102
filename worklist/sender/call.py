"""Call a source: an association with it, opened with time limits and closed for certain."""

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pynetdicom import AE, evt
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
    tls = certificates.client_context(settings.current()) if destination.uses_tls else None
    _knock(destination, where, tls)
    entity = AE(ae_title=destination.our_ae_title)
    entity.implementation_class_uid = file_meta.IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = file_meta.IMPLEMENTATION_VERSION_NAME
    entity.connection_timeout = CONNECTION_SECONDS
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = ANSWER_SECONDS
    connections: list[socket.socket] = []
    opened = entity.associate(
        destination.address,
        destination.port,
        contexts=list(contexts),
        ae_title=destination.ae_title,
        ext_neg=list(roles),
        evt_handlers=[(evt.EVT_CONN_OPEN, _remember, [connections])],
        tls_args=(tls, destination.address) if tls else None,
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
        # pynetdicom leaves them open if the peer was faster.
        for connection in connections:
            connection.close()


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


def _knock(destination: Destination, where: str, tls: ssl.SSLContext | None) -> None:
    """Find out who listens and why TLS fails: pynetdicom only logs that, and leaks the socket."""
    address = (destination.address, destination.port)
    try:
        connection = socket.create_connection(address, timeout=CONNECTION_SECONDS)
    except OSError as error:
        raise Unreachable(f"Nothing answers for {where}.") from error
    try:
        (tls.wrap_socket(connection, server_hostname=destination.address) if tls else connection).close()
    except ssl.SSLError as error:
        raise Unreachable(f"The TLS handshake with {where} failed: {certificates.reason(error)}.") from error
    except OSError as error:
        raise Unreachable(f"{where} was silent or hung up during the TLS handshake.") from error


def _remember(event: Any, connections: list[socket.socket]) -> None:
    connections.append(event.assoc.dul.socket.socket)
