"""DICOM over TLS: the handshake in the connection's own thread, within a time limit.

pynetdicom 3.0.4 makes the handshake in ``accept``: one peer that connects and stays silent keeps everybody
else out (measured: a good sender gave up after 20 s). Here it can only keep its own thread busy.

References
----------
PS3.8 9.1.1 (port numbers), PS3.15 B.12.
"""

import select
import ssl
import threading
from typing import Any

from pynetdicom.timer import Timer

from worklist import certificates, logs
from worklist.certificates import ServerCertificates
from worklist.receiver import hardening

log = logs.logger(__name__)

MOST_HANDSHAKES = 128
"""Peers in the middle of a handshake; more are turned away, since each costs a thread."""


class TlsServer(hardening.HardenedServer):
    """A hardened server whose connections begin with a TLS handshake."""

    certificates: ServerCertificates
    """Kept from pynetdicom, which would make the handshake while accepting."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._handshakes = threading.BoundedSemaphore(MOST_HANDSHAKES)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Turn a connection away before it gets a thread, if too many are in their handshake."""
        if not super().verify_request(request, client_address):
            return False
        if self._handshakes.acquire(blocking=False):
            return True
        log.warning("connection turned away, too many handshakes", address=client_address[0])
        return False

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Run the handshake and then the association, both in this connection's thread."""
        try:
            context = self.certificates.context()
            secured = context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
            self.connections[threading.current_thread()] = secured
            _shake_hands(secured)
        except (OSError, ValueError) as error:
            log.warning("TLS refused", address=client_address[0], reason=_why(error))
            self.shutdown_request(request)
            return
        finally:
            self._handshakes.release()
        super().finish_request(secured, client_address)


def _shake_hands(secured: ssl.SSLSocket) -> None:
    """Make the handshake.

    Raises
    ------
    OSError
        If the peer leaves, takes too long, or breaks the rules (then an ``ssl.SSLError``); it is closed then.
    """
    try:
        # Not by the socket's own time-out: that begins anew with every byte that trickles in.
        secured.setblocking(False)
        _until_done(secured)
    except BaseException:
        secured.close()
        raise
    secured.settimeout(hardening.STALL_SECONDS)


def _until_done(secured: ssl.SSLSocket) -> None:
    timer = Timer(hardening.STALL_SECONDS)
    timer.start()
    while True:
        try:
            return secured.do_handshake()
        except ssl.SSLWantReadError:
            awaited = select.POLLIN
        except ssl.SSLWantWriteError:
            awaited = select.POLLOUT
        poll = select.poll()
        poll.register(secured, awaited)
        if timer.expired or not poll.poll(max(timer.remaining, 0) * 1000):
            raise TimeoutError("The handshake took too long.")


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"The handshake failed: {certificates.reason(error)}."
    if isinstance(error, TimeoutError):
        return f"The peer was silent for {hardening.STALL_SECONDS:g} s of the handshake."
    return "The peer left during the handshake."
