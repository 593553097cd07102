"""The receivers that are measured, each a process of its own in an empty folder."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from sqlalchemy import func, select

from tests.ports import free_port
from worklist import database, schema
from worklist.tables import Instance

# Debian's DCMTK leaves Nagle's algorithm on, which costs each C-STORE up to 40 ms and flatters everybody else.
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}


@dataclass
class Peer:
    """A receiver: started, asked what it has used and what it holds, stopped."""

    folder: Path
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    name: ClassVar[str] = ""

    def commands(self) -> list[list[str]]:
        """Return the command lines of its processes."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Return the environment of its processes."""
        return ENVIRONMENT

    def held(self) -> int:
        """Count what it has kept."""
        raise NotImplementedError

    def ports(self) -> list[int]:
        """Return where it listens: one port, or one of each process."""
        return [self.port]

    def start(self) -> None:
        """Start it on ports that must be free, and wait until it answers a C-ECHO on each."""
        for port in self.ports():
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0, f"somebody else listens on port {port}"
        for command in self.commands():
            log = (self.folder / "log").open("ab")
            self.processes.append(
                subprocess.Popen(command, env=self.environment(), stdout=log, stderr=subprocess.STDOUT)
            )
        deadline = time.monotonic() + 60
        for port in self.ports():
            echo = ["echoscu", "-aec", "WORKLIST", "127.0.0.1", str(port)]
            while subprocess.run(echo, capture_output=True).returncode:
                assert time.monotonic() < deadline, f"{self.name} does not answer"
                assert all(process.poll() is None for process in self.processes), f"{self.name} has ended"
                time.sleep(0.1)
        time.sleep(0.5)

    def cpu_seconds(self) -> float:
        """Return the processor time of its processes and of those they have waited for."""
        return sum(_cpu_seconds(process.pid) for process in self.processes)

    def peak_mb(self) -> float:
        """Return the largest resident memory of its processes, summed."""
        return sum(_resident_mb(process.pid, "VmHWM") for process in self.processes)

    def resident_mb(self) -> float:
        """Return the resident memory of its processes now, summed."""
        return sum(_resident_mb(process.pid, "VmRSS") for process in self.processes)

    def stop(self) -> None:
        """Stop it; its files stay to the end of all runs.

        For half a minute after a deletion ext4 looks at each inode that was freed before it makes a file, and
        the next receiver would pay for that.
        """
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)


class Storescp(Peer):
    """DCMTK's storescp, a process for each association: no index, nothing synced."""

    name = "storescp"

    def commands(self) -> list[list[str]]:
        (self.folder / "files").mkdir()
        options = ["--fork", "-pdu", "131072", "+xa", "-od", str(self.folder / "files")]
        return [["storescp", *options, "-aet", "WORKLIST", str(self.port)]]

    def held(self) -> int:
        return len(list((self.folder / "files").iterdir()))


class Orthanc(Peer):
    """Orthanc with its SQLite index; it syncs each file."""

    name = "Orthanc"

    def commands(self) -> list[list[str]]:
        self.http_port = free_port()
        configuration = {
            "StorageDirectory": str(self.folder / "files"),
            "IndexDirectory": str(self.folder / "files"),
            "DicomPort": self.port,
            "HttpPort": self.http_port,
            "AuthenticationEnabled": False,
            "DicomAet": "WORKLIST",
            "SyncStorageArea": True,
            "Plugins": [],
        }
        (self.folder / "orthanc.json").write_text(json.dumps(configuration))
        return [["Orthanc", str(self.folder / "orthanc.json")]]

    def held(self) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/statistics") as answer:
            return int(json.load(answer)["CountInstances"])


class Plain(Peer):
    """The handler of pynetdicom's documentation, made to sync and to commit before it answers."""

    name = "plain pynetdicom"

    def commands(self) -> list[list[str]]:
        script = Path(__file__).with_name("plain_handler.py")
        return [[sys.executable, str(script), str(self.folder), str(self.port)]]

    def held(self) -> int:
        return len(list(self.folder.glob("*.dcm")))


class Worklist(Peer):
    """Our receiver: file, folder and database synced before each answer."""

    name = "Worklist"
    processes_count: ClassVar[int] = 1
    _others: list[int] | None = None
    database_url: ClassVar[str] = ""

    def ports(self) -> list[int]:
        # Processes that shared one port would be chosen by the kernel, and not evenly for a few associations.
        self._others = self._others or [free_port() for _ in range(self.processes_count - 1)]
        return [self.port, *self._others]

    def commands(self) -> list[list[str]]:
        engine = database.make_engine(self._url())
        if self.database_url:
            with engine.begin() as connection:
                connection.exec_driver_sql("DROP SCHEMA public CASCADE")
                connection.exec_driver_sql("CREATE SCHEMA public")
        schema.upgrade(engine)
        engine.dispose()
        receive = [sys.executable, "-m", "worklist", "receive"]
        return [["env", f"WORKLIST_RECEIVER_PORT={port}", *receive] for port in self.ports()]

    def environment(self) -> dict[str, str]:
        return {
            **ENVIRONMENT,
            "WORKLIST_DATA_FOLDER": str(self.folder / "data"),
            "WORKLIST_DATABASE_URL": self.database_url,
            "WORKLIST_MINIMUM_FREE_BYTES": "0",
            "WORKLIST_SECRET_KEY": "a-key-for-one-benchmark-and-nothing-else",
            # Nobody listens there: jobs are left to the sweep, as with a broker that is away.
            "WORKLIST_BROKER_URL": "redis://127.0.0.1:1/0",
        }

    def held(self) -> int:
        engine = database.make_engine(self._url())
        with engine.connect() as connection:
            count = connection.scalar(select(func.count()).select_from(Instance.__table__))
        engine.dispose()
        return int(count or 0)

    def _url(self) -> str:
        if self.database_url:
            return self.database_url
        (self.folder / "data").mkdir(exist_ok=True)
        return f"sqlite:///{self.folder}/data/worklist.sqlite"


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int, key: str) -> float:
    found = re.search(rf"{key}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
