"""Send what nobody should send, thousands of times, from fixed seeds.

    PYTHONPATH=. .venv/bin/python benchmarks/mutations.py --cases 2600

Half of the cases are data sets in good messages (bit flips, wrong lengths, UIDs that are paths, bombs): each
must be answered with a right status. The other half are broken PDUs and other languages: the connection must
end. Silent connections and half associations stand by all the time. After every 20 cases a good sender must be
served. At the end: no fault of ours in the log, no patient in it, no file outside the archive, nothing left in
the spool, as many threads and descriptors as before, and flat memory.
"""

import argparse
import random
import socket
import struct
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import mutated_data_sets, mutated_pdus, promises
from benchmarks.mutated_data_sets import Case
from benchmarks.peer import Peer, association_request, make_instance
from benchmarks.promises import Receiver, Usage

ANSWER_SECONDS = 45
SILENT = 12
GROWTH_BYTES = 40_000_000
CONNECTIONS = 10
"""Descriptors of database connections that the pool may have opened meanwhile."""


@dataclass
class Campaign:
    """One receiver and everything that was sent to it."""

    receiver: Receiver
    seed: int
    faults: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[str, str] = field(default_factory=dict)
    slowest_seconds: float = 0

    def data_sets(self, start: int, count: int) -> None:
        """Send mutated data sets, several on one association."""
        for number in range(start, start + count):
            choice = random.Random(f"{self.seed} data set {number}")
            mutation = mutated_data_sets.MUTATIONS[number % len(mutated_data_sets.MUTATIONS)]
            case = mutation(choice, number)
            began = time.monotonic()
            try:
                with Peer(self.receiver.port, syntax=case.syntax, timeout=ANSWER_SECONDS) as peer:
                    self._judge(
                        number, case, peer.store(case.instance, choice.choice((128, 4096, 28672, 131072)))
                    )
                    good = make_instance(10_000_000 + number, 10_000_000 + number)
                    if number % 5 == 0 and case.syntax == "1.2.840.10008.1.2.1":
                        self._note_good(number, good, peer.store(good))
            except OSError as error:
                self.faults.append(f"data set {number} ({case.name}) was not answered: {error}")
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)

    def _judge(self, number: int, case: Case, status: int) -> None:
        self.statuses[f"{case.name}: 0x{status:04X}"] += 1
        if status not in case.right:
            self.faults.append(f"data set {number} ({case.name}) was answered with 0x{status:04X}")
        if status == 0:
            self.acknowledged[case.instance.sop_instance_uid] = case.instance.sha256

    def pdus(self, start: int, count: int) -> None:
        """Send broken streams, each on a connection of its own."""
        for number in range(start, start + count):
            choice = random.Random(f"{self.seed} stream {number}")
            mutation = mutated_pdus.MUTATIONS[number % len(mutated_pdus.MUTATIONS)]
            began = time.monotonic()
            end = self._stream(mutation(choice, 20_000_000 + number), choice)
            self.ends[f"{mutation.__name__}: {end}"] += 1
            if end == "hangs":
                self.faults.append(f"stream {number} ({mutation.__name__}) was never hung up on")
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)

    def _stream(self, stream: list[bytes], choice: random.Random) -> str:
        """Send, close our half or everything, and say how it ended."""
        with socket.create_connection(("127.0.0.1", self.receiver.port), ANSWER_SECONDS) as peer:
            try:
                peer.sendall(stream[0])
                if stream[0][:1] == b"\x01" and choice.random() < 0.8:
                    peer.settimeout(0.5)
                    with suppress(TimeoutError):
                        peer.recv(4096)
                    peer.settimeout(ANSWER_SECONDS)
                for piece in stream[1:]:
                    peer.sendall(piece)
                if choice.random() < 0.2:
                    # Vanish: the other side gets a reset, or nothing at all.
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return "reset by us"
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65536):
                    pass
            except TimeoutError:
                return "hangs"
            except OSError:
                return "reset"
            return "closed"

    def next_sender(self, number: int) -> None:
        """Make sure that a good sender is served."""
        good = make_instance(30_000_000 + number, 30_000_000 + number)
        try:
            with Peer(self.receiver.port, timeout=ANSWER_SECONDS) as peer:
                self._note_good(number, good, peer.store(good))
        except OSError as error:
            self.faults.append(f"the good sender behind case {number} was not served: {error}")

    def _note_good(self, number: int, good, status: int) -> None:  # type: ignore[no-untyped-def]
        if status:
            self.faults.append(f"the good instance behind case {number} was answered with 0x{status:04X}")
        else:
            self.acknowledged[good.sop_instance_uid] = good.sha256


def stand_by(port: int) -> list[socket.socket]:
    """Open connections that say nothing, three bytes, half a request, or a whole one and no more."""
    peers = []
    for number in range(SILENT):
        peer = socket.create_connection(("127.0.0.1", port))
        peer.sendall((b"", b"\x01\0\0", association_request()[:50], association_request())[number % 4])
        peers.append(peer)
    return peers


def settled(receiver: Receiver, aim: Usage | None, seconds: float = 60) -> Usage:
    """Return what the receiver holds once the last connections have ended."""
    deadline = time.monotonic() + seconds
    while True:
        usage = receiver.usage()
        is_enough = aim and usage.threads <= aim.threads and usage.descriptors <= aim.descriptors + CONNECTIONS
        if is_enough or time.monotonic() > deadline:
            return usage
        time.sleep(0.25)


def leaks(before: Usage, after: Usage) -> list[str]:
    faults = []
    if after.threads > before.threads:
        faults.append(f"{after.threads} threads, {before.threads} before")
    if after.descriptors > before.descriptors + CONNECTIONS:
        faults.append(f"{after.descriptors} descriptors, {before.descriptors} before")
    if after.resident_bytes > before.resident_bytes + GROWTH_BYTES:
        faults.append(f"{after.resident_bytes / 1e6:.0f} MB, {before.resident_bytes / 1e6:.0f} MB before")
    return faults


def run(folder: Path, *, cases: int, seed: int = 1, database_url: str = "", batch: int = 20) -> list[str]:
    """Send so many cases, and return the promises that were broken."""
    data = folder / "data"
    promises.prepare(data, database_url)
    receiver = Receiver(folder / "receiver.log").wait()
    campaign = Campaign(receiver, seed)
    # Memory and pools reach their height first: a fifth of the cases is not measured.
    campaign.data_sets(0, warm := min(cases // 5, 200) // 2)
    campaign.pdus(0, warm)
    time.sleep(2)
    before = settled(receiver, None, 2)
    peers = stand_by(receiver.port)
    for start in range(warm, cases // 2, batch // 2):
        campaign.data_sets(start, batch // 2)
        campaign.pdus(start, batch // 2)
        campaign.next_sender(start)
    for peer in peers:
        peer.close()
    after = settled(receiver, before)
    faults = campaign.faults + leaks(before, after) + promises.broken(campaign.acknowledged)
    faults += said(receiver.log) + outside(folder, data)
    alive = receiver.process.poll() is None
    faults += [] if alive else [f"the receiver ended by itself: {receiver.said()}"]
    receiver.end()
    again = Receiver(folder / "again.log").wait()
    faults += promises.left_over(1)
    again.end()
    for name, figures in (("statuses", campaign.statuses), ("ends", campaign.ends)):
        print(f"{name}: " + ", ".join(f"{what} {count}" for what, count in sorted(figures.items())))
    sent, streams = sum(campaign.statuses.values()), sum(campaign.ends.values())
    print(f"{sent} data sets, {len(campaign.acknowledged)} acknowledged; {streams} streams")
    print(f"slowest {campaign.slowest_seconds:.1f} s; before {before}; after {after}")
    return faults


def said(log: Path) -> list[str]:
    """Return faults of ours and patients in the log."""
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line for line in text.splitlines() if "broker not reachable" not in line]
    faults = [line[:300] for line in lines if "level='error'" in line or "Traceback" in line]
    return faults + (["the log names a patient"] if "Example^" in text else [])


def outside(folder: Path, data: Path) -> list[str]:
    """Return files that lie where none belongs."""
    right = {"archive", "worklist.sqlite", "worklist.sqlite-wal", "worklist.sqlite-shm"}
    faults = [str(path) for path in data.iterdir() if path.name not in right]
    faults += [str(path) for path in folder.iterdir() if path.suffix != ".log" and path != data]
    faults += [str(path) for place in (Path("/tmp"), Path.cwd()) for path in place.glob("*outside-*")]
    archive = data / "archive"
    odd = [
        path for path in archive.rglob("*") if path.is_file() and path.suffix not in {".dcm", ".lock", ".part"}
    ]
    return [f"{path} was written" for path in [*faults, *map(str, odd)]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=2600)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with promises.ground(needs_postgresql=given.database == "postgresql") as (folder, url):
        return promises.report(run(folder, cases=given.cases, seed=given.seed, database_url=url))


if __name__ == "__main__":
    raise SystemExit(main())
