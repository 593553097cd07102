"""Let the senders that hospitals really have send to the receiver, well and badly.

    PYTHONPATH=. .venv/bin/python benchmarks/senders.py

DCMTK (storescu, dcmsend), Orthanc (its REST interface sends to a modality) and pynetdicom send the same kind of
files: over one association, one association for each file, several studies in one association, PDUs of 28,672
bytes and of the largest size DCMTK has. storescu and dcmsend are killed in the middle. Plain sockets add what
those never do: many associations held open, stalls inside a PDU, claims of 4 GB, an abort in the middle of a
file. Meanwhile a good sender must be served at once; at the end every acknowledged file must be there.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import DigitalXRayImageStorageForPresentation

from benchmarks import promises
from benchmarks.mutations import leaks, settled
from benchmarks.peer import ABORT, DATA, REQUEST, Instance, Peer, make_instance, message, pdu
from benchmarks.promises import Receiver
from tests.worklist.receiver.orthanc import Orthanc
from worklist.dicom import file_meta

HELD, STALLED = 40, 10
PROMPT_SECONDS = 5.0


class Senders:
    """Files to send, where to, and what was acknowledged so far."""

    def __init__(self, folder: Path, receiver: Receiver, *, side: int, count: int) -> None:
        self.folder = folder
        self.receiver = receiver
        self.side = side
        self.count = count
        self.acknowledged: dict[str, str] = {}
        self.faults: list[str] = []
        self._next = 1

    def files(self, count: int = 0, per_study: int = 4) -> list[Path]:
        """Write new files."""
        paths, count = [], count or self.count
        for number in range(self._next, self._next + count):
            instance = make_instance(number, number // per_study, self.side)
            path = self.folder / f"{number}.dcm"
            meta = file_meta.encode(instance.sop_class_uid, instance.sop_instance_uid, "1.2.840.10008.1.2.1")
            path.write_bytes(meta + instance.data)
            paths.append(path)
        self._next += count
        return paths

    def program(self, name: str, *options: str, paths: list[Path]) -> None:
        """Run a program of DCMTK with files and take its word for what was acknowledged."""
        address = ("127.0.0.1", str(self.receiver.port))
        command = [name, *options, *address, *map(str, paths)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, env={**os.environ, "TCP_NODELAY": "1"}
        )
        if done.returncode:
            self.faults.append(f"{name} {' '.join(options)}: {done.stderr.strip()[-300:]}")
        self.note(paths)

    def note(self, paths: list[Path]) -> None:
        for path in paths:
            instance = instance_of(path)
            self.acknowledged[instance.sop_instance_uid] = instance.sha256

    def killed(self, name: str, *options: str) -> None:
        """Kill a program in the middle of its files; what it had sent by then is not asked for."""
        address = ("127.0.0.1", str(self.receiver.port))
        process = subprocess.Popen(
            [name, *options, *address, *map(str, self.files())],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.15)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def pynetdicom(self) -> None:
        entity = AE(ae_title="PYNETDICOM")
        entity.add_requested_context(DigitalXRayImageStorageForPresentation)
        association = entity.associate("127.0.0.1", self.receiver.port)
        paths = self.files()
        for path in paths:
            status = association.send_c_store(dcmread(path)).Status
            if status:
                self.faults.append(f"pynetdicom was answered with 0x{status:04X}")
        association.release()
        # pynetdicom encodes anew, so only the rows are asked for.
        wanted = {instance_of(path).sop_instance_uid for path in paths}
        if missing := wanted - set(rows_of(wanted)):
            self.faults.append(f"{len(missing)} instances of pynetdicom have no row")

    def orthanc(self) -> None:
        """Fill an Orthanc and let it store everything to us in one job."""
        folder = self.folder / "orthanc"
        folder.mkdir()
        orthanc = Orthanc(folder, self.receiver.port)
        try:
            paths = self.files()
            ids = [orthanc.post("/instances", path.read_bytes())["ID"] for path in paths]
            result = orthanc.post("/modalities/worklist/store", json.dumps({"Resources": ids}).encode())
            if result["FailedInstancesCount"]:
                self.faults.append(f"Orthanc: {result}")
        finally:
            orthanc.stop()
        wanted = {instance_of(path).sop_instance_uid for path in paths}
        if missing := wanted - set(rows_of(wanted)):
            self.faults.append(f"{len(missing)} instances of Orthanc have no row")

    def good(self, what: str) -> None:
        """Make sure that a good sender is served at once."""
        began = time.monotonic()
        (path,) = self.files(1)
        try:
            with Peer(self.receiver.port, timeout=60) as peer:
                status = peer.store(instance_of(path))
        except OSError as error:
            self.faults.append(f"{what}: the good sender was not served ({error})")
            return
        seconds = time.monotonic() - began
        if status or seconds > PROMPT_SECONDS:
            self.faults.append(f"{what}: the good sender waited {seconds:.1f} s for 0x{status:04X}")
        self.note([path])
        print(f"  {what}: the good sender needed {seconds:.2f} s", flush=True)

    def bad(self, choice: random.Random, held_seconds: float) -> None:
        """Hold, stall, claim and abort, with a good sender in between."""
        with ExitStack() as stack:
            held = [stack.enter_context(Peer(self.receiver.port, calling=f"HELD{n}")) for n in range(HELD)]
            self.good(f"{HELD} associations held open")
            for _ in range(STALLED):
                peer = Peer(self.receiver.port, calling="STALLED")
                stack.callback(peer.socket.close)
                whole = b"".join(message(instance_of(self.files(1)[0]), 28672))
                peer.socket.sendall(whole[: choice.randrange(10, len(whole) - 10)])
            self.good(f"{STALLED} more stalled inside a PDU")
            for kind in (REQUEST, DATA):
                peer = Peer(self.receiver.port, calling="CLAIM")
                stack.callback(peer.socket.close)
                peer.socket.sendall(pdu(kind, bytes(1000), 2**32 - 1))
            self.good("two claims of 4 GB")
            for _ in range(20):
                with Peer(self.receiver.port, calling="ABORTED") as peer:
                    command, *rest = message(instance_of(self.files(1)[0]), 256)
                    peer.socket.sendall(command + b"".join(rest[: len(rest) // 2]) + pdu(ABORT, bytes(4)))
            self.good("20 aborts in the middle of a file")
            time.sleep(held_seconds)
            for number, peer in enumerate(held):
                path = self.files(1)[0]
                if status := peer.store(instance_of(path), 28672):
                    self.faults.append(f"held association {number} was answered with 0x{status:04X}")
                self.note([path])


def instance_of(path: Path) -> Instance:
    content = path.read_bytes()
    number = int(path.stem)
    whole = make_instance(number, 0, 1)
    start = len(file_meta.encode(whole.sop_class_uid, whole.sop_instance_uid, "1.2.840.10008.1.2.1"))
    return Instance(whole.sop_instance_uid, "", content[start:])


def rows_of(uids: set[str]) -> list[str]:
    from sqlalchemy import select

    from worklist import database
    from worklist.tables import Instance as Row

    with database.reading() as session:
        return list(session.scalars(select(Row.sop_instance_uid).where(Row.sop_instance_uid.in_(uids))))


def run(
    folder: Path, *, side: int = 512, count: int = 24, held_seconds: float = 45, with_orthanc: bool = True
) -> list[str]:
    """Send in all ways, and return the promises that were broken."""
    promises.prepare(folder / "data")
    (folder / "files").mkdir()
    receiver = Receiver(folder / "receiver.log").wait()
    senders = Senders(folder / "files", receiver, side=side, count=count)
    senders.program("storescu", paths=senders.files())
    senders.program("storescu", "-pdu", "28672", "--max-send-pdu", "28672", paths=senders.files())
    senders.program("storescu", "-pdu", "131072", paths=senders.files(per_study=1))
    for path in senders.files():
        senders.program("storescu", paths=[path])
    senders.program("dcmsend", paths=senders.files(per_study=1))
    senders.program("dcmsend", "+ma", paths=senders.files())
    senders.pynetdicom()
    if with_orthanc:
        senders.orthanc()
    settled_before = settled(receiver, None, 2)
    for name, options in (("storescu", ()), ("dcmsend", ()), ("storescu", ("-pdu", "4096"))):
        senders.killed(name, *options)
        senders.good(f"{name} killed")
    senders.bad(random.Random(1), held_seconds)
    after = settled(receiver, settled_before)
    faults = senders.faults + leaks(settled_before, after)
    receiver.end()
    again = Receiver(folder / "again.log").wait()
    faults += promises.broken(senders.acknowledged) + promises.left_over(1)
    again.end()
    print(f"{len(senders.acknowledged)} acknowledged, {promises.count()} rows")
    print(f"before {settled_before}; after {after}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--side", type=int, default=512, help="pixels of a side; 512 is half a megabyte")
    parser.add_argument("--held-seconds", type=float, default=45, help="how long associations are held open")
    given = parser.parse_args()
    with promises.ground(needs_postgresql=False) as (folder, _):
        return promises.report(run(folder, side=given.side, held_seconds=given.held_seconds))


if __name__ == "__main__":
    raise SystemExit(main())
