"""Orthanc as a peer: its own process, folder and free ports, and its REST interface."""

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from tests.ports import free_port
from tests.worklist.receiver.modality import eventually

# Debian puts it beside the programs of the administrator, which are not on everybody's path.
PROGRAM = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")


class Orthanc:
    """A running Orthanc that knows one modality: the receiver under test."""

    def __init__(self, folder: Path, receiver_port: int) -> None:
        assert PROGRAM, "Orthanc is not installed (Debian: apt-get install orthanc)"
        self.dicom_port, self._http_port = free_port(), free_port()
        settings = {
            "Name": "peer",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "index"),
            "DicomAet": "ORTHANC",
            "DicomPort": self.dicom_port,
            "HttpPort": self._http_port,
            "AuthenticationEnabled": False,
            "RemoteAccessAllowed": False,
            "HttpServerEnabled": True,
            "Plugins": [],
            "DicomModalities": {
                "worklist": {
                    "AET": "WORKLIST",
                    "Host": "127.0.0.1",
                    "Port": receiver_port,
                    "AllowStorageCommitment": True,
                }
            },
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM), str(folder / "orthanc.json")], stdout=log, stderr=log
            )
        assert eventually(self._answers, 60), (folder / "log").read_text()

    def post(self, path: str, body: bytes) -> Any:
        """Post to the REST interface and return its JSON."""
        return self._ask(urllib.request.Request(self._url(path), data=body, method="POST"))

    def get(self, path: str) -> Any:
        """Get from the REST interface and return its JSON."""
        return self._ask(urllib.request.Request(self._url(path)))

    def stop(self) -> None:
        """Stop the process."""
        self._process.terminate()
        self._process.wait(30)

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http_port}{path}"

    def _ask(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def _answers(self) -> bool:
        try:
            return bool(self.get("/system"))
        except OSError:
            return False
