"""A receiver with TLS, and connections to it."""

import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.worklist.receiver.certificates import Authority
from tests.worklist.receiver.modality import QUICK, Site


@dataclass
class Secured(Site):
    """A receiver with TLS; ``ours`` is the authority that it trusts, and that vouches for it."""

    ours: Authority

    def __post_init__(self) -> None:
        Site.__init__(self)
        self.tls_port = int(self.receiver.servers[-1].server_address[1])

    def send(self, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Send with DCMTK over TLS."""
        command = ["storescu", "-v", *options, "127.0.0.1", str(self.tls_port), str(path)]
        return subprocess.run(command, capture_output=True, text=True, env=QUICK, timeout=60)

    def as_peer(self, authority: Authority, name: str = "modality", **values: int) -> tuple[str, ...]:
        """Return DCMTK's options to show a certificate and to trust ours."""
        certificate, key = authority.issue(name, **values)
        return ("+tls", str(key), str(certificate), "+cf", str(self.ours.certificate))

    def anonymously(self) -> tuple[str, ...]:
        """Return DCMTK's options to show no certificate."""
        return ("+tla", "+cf", str(self.ours.certificate))


def secured_connection(secured: Secured, ours: Authority, version: ssl.TLSVersion) -> ssl.SSLSocket:
    """Open a TLS connection of one version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(ours.certificate)
    context.load_cert_chain(*ours.issue("modality"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    plain = socket.create_connection(("127.0.0.1", secured.tls_port), timeout=20)
    try:
        return context.wrap_socket(plain)
    except BaseException:
        plain.close()
        raise
