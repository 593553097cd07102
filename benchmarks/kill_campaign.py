"""Kill the receiver (SIGKILL) at random moments under load, again and again.

    PYTHONPATH=. .venv/bin/python benchmarks/kill_campaign.py --rounds 300
    PYTHONPATH=. .venv/bin/python benchmarks/kill_campaign.py --rounds 60 --receivers 2

Four peers send small instances over short associations, each with its own numbers. Every tenth kill comes while
the receiver starts. After each start, every instance acknowledged in the round before must have one row and its
whole file; nobody may ever see a row without its whole file; at the end nothing may lie about. Two receivers
share one archive and one PostgreSQL database; one of them dies, the other one goes on.
"""

import argparse
import random
import threading
import time
from contextlib import suppress
from pathlib import Path

from benchmarks import promises
from benchmarks.peer import Instance, Peer, make_instance
from benchmarks.promises import Receiver

PEERS = 4
SIDES = (16, 64, 256)
LONGEST_LOAD_SECONDS = 1.2


class Load:
    """Peers that send until they are told to stop; a peer whose receiver is gone tries again."""

    def __init__(self, receivers: list[Receiver], seed: int) -> None:
        self.receivers = receivers
        self._acknowledged: dict[str, str] = {}
        self._lock = threading.Lock()
        self.refused: list[int] = []
        self.attempts = 0
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(number, random.Random(f"{seed} {number}")))
            for number in range(PEERS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def taken(self) -> dict[str, str]:
        """Return what was acknowledged since the last call."""
        with self._lock:
            taken, self._acknowledged = self._acknowledged, {}
        return taken

    def _send(self, number: int, choice: random.Random) -> None:
        count = 0
        while not self._stopping.is_set():
            port = self.receivers[choice.randrange(len(self.receivers))].port
            # OSError: that receiver has just been killed.
            with suppress(OSError), Peer(port, calling=f"PEER{number}", timeout=60) as peer:
                for _ in range(choice.randint(1, 6)):
                    count += 1
                    self.attempts += 1
                    # Half of them join studies that the other peers are sending to.
                    study = count // 5 + choice.choice((0, 1_000_000 * (1 + number)))
                    instance = make_instance(time.monotonic_ns() * 10 + number, study, choice.choice(SIDES))
                    self._note(instance, peer.store(instance))
            self._stopping.wait(0.02)

    def _note(self, instance: Instance, status: int) -> None:
        if status:
            self.refused.append(status)
            return
        with self._lock:
            self._acknowledged[instance.sop_instance_uid] = instance.sha256


class Watcher:
    """A reader who looks at the newest rows all the time."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.looks = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopping.wait(0.1):
            self.looks += 1
            self.faults += filter(None, map(promises.half, promises.newest(20)))


def run(data: Path, *, rounds: int, receivers: int = 1, seed: int = 1, database_url: str = "") -> list[str]:
    """Kill so many times, and return the promises that were broken."""
    promises.prepare(data, database_url)
    choice, log = random.Random(seed), data / "receiver.log"
    running = [Receiver(log) for _ in range(receivers)]
    for each in running:
        each.wait()
    watcher, load = Watcher(), Load(running, seed)
    faults: list[str] = []
    total, at_the_start, started_at = 0, 0, time.monotonic()
    try:
        for number in range(rounds):
            time.sleep(choice.uniform(0.02, LONGEST_LOAD_SECONDS))
            victim = choice.randrange(receivers)
            running[victim].end()
            acknowledged = load.taken()
            if number % 10 == 9:
                again = Receiver(log)
                time.sleep(choice.uniform(0, 2.5))
                again.end()
                at_the_start += 1
            running[victim] = Receiver(log).wait()
            faults += promises.broken(acknowledged)
            total += len(acknowledged)
            if number % 20 == 19:
                print(f"  {number + 1} kills, {total} acknowledged, {len(faults)} faults", flush=True)
    finally:
        load.stop()
        watcher.stop()
        for each in running:
            each.end()
    last = Receiver(log).wait()
    rest = load.taken()
    total += len(rest)
    faults += promises.broken(rest) + watcher.faults + promises.left_over(1)
    last.end()
    faults += [f"status 0x{status:04X} was answered" for status in load.refused]
    seconds = time.monotonic() - started_at
    print(
        f"killed {rounds} times under load and {at_the_start} times while it started, {receivers} receiver(s), "
        f"{seconds:.0f} s: {load.attempts} sent, {total} acknowledged, {promises.count()} rows, "
        f"{watcher.looks} looks at the newest rows"
    )
    if not total:
        faults.append("nothing was acknowledged, so nothing was tested")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--receivers", type=int, default=1, help="more than one need PostgreSQL")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    needs_postgresql = given.database == "postgresql" or given.receivers > 1
    with promises.ground(needs_postgresql=needs_postgresql) as (folder, url):
        return promises.report(
            run(
                folder / "data",
                rounds=given.rounds,
                receivers=given.receivers,
                seed=given.seed,
                database_url=url,
            )
        )


if __name__ == "__main__":
    raise SystemExit(main())
