"""A certificate authority for tests, made with the program openssl."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import forget


class Authority:
    """Issues certificates that its own certificate vouches for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.certificate = folder / "ca.pem"
        self._openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", f"/CN=Authority {folder.name}", "-keyout", "ca.key", "-out", "ca.pem"),
        )

    def issue(self, name: str, *, days: int = 2) -> tuple[Path, Path]:
        """Return certificate and key; fewer than no days give one that has expired."""
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        if not certificate.exists():
            self._openssl(
                *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
                *("-keyout", key.name, "-out", f"{name}.csr"),
            )
            self._openssl(
                *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
                *("-CAcreateserial", "-days", str(days), "-out", certificate.name),
            )
        return certificate, key

    def locked(self, name: str) -> Path:
        """Return a key that needs a password."""
        path = self._folder / f"{name}-locked.key"
        self._openssl("pkey", "-in", f"{name}.key", "-aes256", "-passout", "pass:secret", "-out", path.name)
        return path

    def _openssl(self, *arguments: str) -> None:
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=self._folder, capture_output=True, check=True, timeout=60)


def set_certificates(monkeypatch: pytest.MonkeyPatch, ours: Authority) -> None:
    """Give the site a certificate, and let it trust those of the same authority."""
    certificate, key = ours.issue("receiver")
    monkeypatch.setenv("WORKLIST_TLS_CERTIFICATE", str(certificate))
    monkeypatch.setenv("WORKLIST_TLS_KEY", str(key))
    monkeypatch.setenv("WORKLIST_TLS_CLIENT_CA", str(ours.certificate))
    forget()
