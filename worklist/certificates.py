"""TLS contexts from the certificate files of the settings, for both directions.

References
----------
PS3.15 B.12 (BCP 195 RFC 8996, 9325 TLS profile), RFC 9325 4.2 (its cipher suites).
"""

import ssl
import threading
from pathlib import Path

from worklist import logs
from worklist.errors import Invalid
from worklist.settings import Settings

log = logs.logger(__name__)

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
"""For TLS 1.2; those of TLS 1.3 are all good and not chosen here."""

State = tuple[tuple[int, int, int] | None, ...]
"""Inode, bytes and time of change of each file; None for one that cannot be looked at."""


class ServerCertificates:
    """What peers that call us are served with, read anew once one of its files has changed.

    Raises
    ------
    Invalid
        If the files cannot be used. Later ones that cannot are said once, and leave the former in use.
    """

    def __init__(self, current: Settings) -> None:
        self._current = current
        self._reading = threading.Lock()
        # Before the files are read: what is written meanwhile is noticed the next time.
        self._state = self._refused = _state(current)
        self._context = server_context(current)

    def context(self) -> ssl.SSLContext:
        """Return the context for a new connection; those that are open keep theirs."""
        with self._reading:
            state = _state(self._current)
            if state != self._state:
                self._renew(state)
            return self._context

    def _renew(self, state: State) -> None:
        try:
            self._context, self._state = server_context(self._current), state
            log.info("certificates renewed")
        except (Invalid, OSError) as error:
            if state != self._refused:
                log.warning("certificates not renewed, the former stay in use", reason=str(error))
            self._refused = state


def server_context(current: Settings) -> ssl.SSLContext:
    """Return what peers that call us are served with; with a client CA each must show a certificate of it.

    Raises
    ------
    Invalid
        If a file is missing, unreadable, or certificate and key do not belong together.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, current)
    if current.tls_client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(current: Settings) -> ssl.SSLContext:
    """Return what we call peers with: our certificate, and only peers with one of the same CA are trusted.

    Notes
    -----
    Names are not compared: sources are known by their address, and certificates of modalities seldom name it.

    Raises
    ------
    Invalid
        If a file is missing, unreadable, or there is no CA to trust.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, current)
    if not current.tls_client_ca:
        raise Invalid("A source that is called with TLS needs WORKLIST_TLS_CLIENT_CA, to know whom to trust.")
    context.check_hostname = False
    return context


def _context(protocol: int, current: Settings) -> ssl.SSLContext:
    if not current.tls_certificate or not current.tls_key:
        raise Invalid("TLS needs both WORKLIST_TLS_CERTIFICATE and WORKLIST_TLS_KEY; one of them is not set.")
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    _readable("TLS_CERTIFICATE", current.tls_certificate)
    _readable("TLS_KEY", current.tls_key)
    try:
        # Without a password of ours OpenSSL would ask for one on the terminal, and the start would hang.
        context.load_cert_chain(current.tls_certificate, current.tls_key, password=lambda: "")
    except ssl.SSLError as error:
        raise Invalid(
            f"WORKLIST_TLS_CERTIFICATE={current.tls_certificate} and WORKLIST_TLS_KEY={current.tls_key} are no "
            f"pair of PEM files, or the key has a password: {reason(error)}."
        ) from error
    if current.tls_client_ca:
        _trust(context, current.tls_client_ca)
    return context


def _trust(context: ssl.SSLContext, path: str) -> None:
    _readable("TLS_CLIENT_CA", path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise Invalid(f"WORKLIST_TLS_CLIENT_CA={path} holds no PEM certificate: {reason(error)}.") from error


def _state(current: Settings) -> State:
    return tuple(map(_state_of, (current.tls_certificate, current.tls_key, current.tls_client_ca)))


def _state_of(path: str) -> tuple[int, int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _readable(name: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise Invalid(f"WORKLIST_{name}={path} cannot be read: {error.strerror}.") from error


def reason(error: ssl.SSLError) -> str:
    """Return what OpenSSL says, in words and without its file and line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or "it is no PEM file").replace("_", " ").lower()
