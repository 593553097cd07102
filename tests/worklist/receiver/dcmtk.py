"""DCMTK's query and retrieve programs as peers, and a storescp as move destination."""

import socket
import subprocess
from pathlib import Path

from tests.ports import free_port
from tests.worklist.receiver.modality import QUICK, eventually


def run(program: str, port: int, *options: str) -> str:
    """Run a program against the receiver and return all that it says."""
    command = [program, "-v", *options, "127.0.0.1", str(port)]
    done = subprocess.run(command, capture_output=True, text=True, env=QUICK, timeout=120, errors="replace")
    return done.stdout + done.stderr


def keys(level: str, **values: str) -> list[str]:
    """Return the options for a query level and keys."""
    pairs = [f"QueryRetrieveLevel={level}", *(f"{key}={value}" for key, value in values.items())]
    return [part for pair in pairs for part in ("-k", pair)]


def findscu(port: int, level: str, *options: str, folder: Path, **values: str) -> tuple[list[Path], str]:
    """Query and return the answers as files, and what findscu said."""
    folder.mkdir(exist_ok=True)
    said = run("findscu", port, "-S", "-X", "-od", str(folder), *options, *keys(level, **values))
    return sorted(folder.glob("rsp*.dcm")), said


class Destination:
    """A storescp that writes what it receives bit for bit."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir()
        self.folder, self.port = folder, free_port()
        command = ["storescp", "+B", "-aet", "DESTINATION", *options, "-od", str(folder), str(self.port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=QUICK
        )
        assert eventually(self._answers)

    def files(self) -> list[Path]:
        """Return what has arrived."""
        return sorted(path for path in self.folder.iterdir() if path.is_file())

    def stop(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
