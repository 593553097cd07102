"""Cut the power under the receiver: it dies, and whatever it had not synced is gone.

    PYTHONPATH=. .venv/bin/python benchmarks/power_cut.py --rounds 100

The receiver runs with `unsynced.c` in front of fsync and fdatasync (compiled with cc), which remembers files
and folder listings as of their last sync. After each kill the data folder, SQLite database included, is put
together anew from that. In every second round it is instead a random mixture of what was synced and what was
written later: a disk is free to have written more. Then a receiver starts on it, and every acknowledged
instance of all rounds must be there, whole and listed, and nothing may lie about.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import promises
from benchmarks.kill_campaign import Load
from benchmarks.promises import Receiver
from worklist import database

SOURCE = Path(__file__).with_name("unsynced.c")
SYNC_ALL = """
import os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in (".", *names):
        descriptor = os.open(os.path.join(folder, name), os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
"""


class Disk:
    """A data folder whose power can be cut."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.shadow = folder / "shadow"
        self.library = folder / "unsynced.so"
        assert shutil.which("cc"), "cc is missing: apt-get install gcc libc6-dev"
        command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(self.library), str(SOURCE), "-lpthread"]
        subprocess.run(command, check=True)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self.library),
            "UNSYNCED_ROOT": str(self.data.resolve()),
            "UNSYNCED_SHADOW": str(self.shadow),
        }

    def sync(self) -> None:
        """Take everything that is there as written."""
        shutil.rmtree(self.shadow, ignore_errors=True)
        self.shadow.mkdir()
        environment = {**os.environ, **self.environment}
        subprocess.run([sys.executable, "-c", SYNC_ALL, str(self.data)], env=environment, check=True)

    def cut(self, choice: random.Random | None) -> None:
        """Lose what was not synced; with a choice, each unsynced change may have been written all the same."""
        lost = self.data.with_name("lost")
        self.data.rename(lost)
        self._restore("root", lost, self.data, choice)
        shutil.rmtree(lost)

    def _restore(self, key: str, lost: Path, target: Path, choice: random.Random | None) -> None:
        target.mkdir()
        listing = self.shadow / f"d-{key}"
        lines = listing.read_text().splitlines() if listing.exists() else []
        synced = {name: (kind, inner) for kind, inner, name in (line.split(" ", 2) for line in lines)}
        for name, (kind, inner) in synced.items():
            if choice and not (lost / name).exists() and choice.random() < 0.5:
                continue  # its removal was written
            if kind == "d":
                self._restore(inner, lost / name, target / name, choice)
            else:
                self._restore_file(self.shadow / f"f-{inner}", lost / name, target / name, choice)
        if choice and lost.is_dir():
            for path in lost.iterdir():
                if path.name not in synced and choice.random() < 0.5:
                    self._write_unsynced(path, target / path.name, choice)

    def _restore_file(self, kept: Path, lost: Path, target: Path, choice: random.Random | None) -> None:
        is_newer = choice and lost.is_file() and choice.random() < 0.5
        if is_newer or kept.exists():
            shutil.copyfile(lost if is_newer else kept, target)
        else:
            target.write_bytes(b"")

    def _write_unsynced(self, path: Path, target: Path, choice: random.Random) -> None:
        if path.is_dir():
            target.mkdir()
            return
        key = next(iter(self.shadow.glob(f"f-{path.stat().st_ino}-*")), None)
        content = path.read_bytes()
        # The name was written; of the bytes, all that were synced and perhaps some more.
        at_least = key.stat().st_size if key else 0
        target.write_bytes(content[: choice.randint(min(at_least, len(content)), len(content))])


def run(folder: Path, *, rounds: int, seed: int = 1, database_url: str = "") -> list[str]:
    """Cut the power so many times, and return the promises that were broken."""
    disk, choice, log = Disk(folder), random.Random(seed), folder / "receiver.log"
    promises.prepare(disk.data, database_url)
    acknowledged: dict[str, str] = {}
    faults: list[str] = []
    started_at = time.monotonic()
    for number in range(rounds):
        database.forget_engine()
        disk.sync()
        receiver = Receiver(log, **disk.environment).wait()
        load = Load([receiver], seed * 100_000 + number)
        try:
            time.sleep(choice.uniform(0.1, 1.5))
        finally:
            receiver.end()
            load.stop()
        recent = load.taken()
        acknowledged |= recent
        disk.cut(choice if number % 2 else None)
        receiver = Receiver(log).wait()
        found = promises.broken(acknowledged if number % 10 == 9 else recent) + promises.left_over(1)
        faults += [f"round {number}: {fault}" for fault in found]
        receiver.end()
        if number % 10 == 9:
            print(f"  {number + 1} cuts, {len(acknowledged)} acknowledged, {len(faults)} faults", flush=True)
    faults += [] if acknowledged else ["nothing was acknowledged, so nothing was tested"]
    print(
        f"power cut {rounds} times in {time.monotonic() - started_at:.0f} s: {len(acknowledged)} acknowledged"
    )
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with promises.ground(needs_postgresql=given.database == "postgresql") as (folder, url):
        return promises.report(run(folder, rounds=given.rounds, seed=given.seed, database_url=url))


if __name__ == "__main__":
    raise SystemExit(main())
