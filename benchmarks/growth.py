"""Ten hours of a department's traffic without its pauses: does anything of the receiver grow?

    PYTHONPATH=. .venv/bin/python benchmarks/growth.py --instances 50000 --plot docs/images/growth.svg
    PYTHONPATH=. .venv/bin/python benchmarks/growth.py --instances 10000 --receivers 2

Four peers send small instances, ten to an association. Now and then one breaks off in the middle of a file,
sends an instance again, or only says hello; one peer holds an association open all the time. Memory, threads
and descriptors of the receiver are noted a hundred times: from the second fifth to the last they stay flat,
and every acknowledged instance must have one row and one whole file. Two receivers share one archive and one
PostgreSQL database, and each instance is sent to both of them at the same time: nothing may be lost or doubled.
"""

import argparse
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import promises
from benchmarks.growth_plot import draw
from benchmarks.peer import ABORT, Instance, Peer, make_instance, message, pdu
from benchmarks.promises import Receiver, Usage

PEERS = 4
PER_ASSOCIATION = 10
GROWTH_BYTES = 25_000_000
GROWTH_THREADS, GROWTH_DESCRIPTORS = 3 * PEERS, 4 * PEERS
"""What the associations of all peers take: it is chance how many of them are open when a sample is taken."""


@dataclass
class Traffic:
    """What has been sent so far, by all peers."""

    acknowledged: dict[str, str]
    refused: list[int]
    associations: int = 0
    aborted: int = 0
    resent: int = 0

    def note(self, instance: Instance, status: int) -> None:
        if status:
            self.refused.append(status)
        else:
            self.acknowledged[instance.sop_instance_uid] = instance.sha256


@dataclass(frozen=True)
class Sample:
    """What one receiver held behind so many instances."""

    instances: int
    seconds: float
    usage: Usage


def send(traffic: Traffic, port: int, numbers: Sequence[int], choice: random.Random) -> None:
    """Send the instances of these numbers to one receiver."""
    for start in range(0, len(numbers), PER_ASSOCIATION):
        with Peer(port, calling=f"ROOM{numbers[0] % PEERS}", timeout=60) as peer:
            traffic.associations += 1
            for number in numbers[start : start + PER_ASSOCIATION]:
                instance = make_instance(number, number // 5)
                traffic.note(instance, peer.store(instance))
            if choice.random() < 0.05:
                traffic.resent += 1
                traffic.note(instance, peer.store(instance))
        if choice.random() < 0.03:
            break_off(port, make_instance(100_000_000 + numbers[start], start))
            traffic.aborted += 1
        if choice.random() < 0.03:
            with Peer(port, calling="HEALTH"):
                traffic.associations += 1


def break_off(port: int, instance: Instance) -> None:
    """Abort an association in the middle of a file."""
    with Peer(port) as peer:
        command, *fragments = message(instance, 256)
        peer.socket.sendall(command + b"".join(fragments[:2]) + pdu(ABORT, bytes(4)))


def run(
    folder: Path, *, instances: int, receivers: int = 1, seed: int = 1, database_url: str = ""
) -> tuple[list[str], list[list[Sample]]]:
    """Send so many instances; return the broken promises and the samples of each receiver."""
    promises.prepare(folder / "data", database_url)
    running = [Receiver(folder / f"receiver-{number}.log").wait() for number in range(receivers)]
    traffic = Traffic({}, [])
    # With two receivers, peers 0 and 1 send the same, each to its own; so do 2 and 3.
    shares = [range(peer // receivers, instances, PEERS // receivers) for peer in range(PEERS)]
    threads = [
        threading.Thread(
            target=send,
            args=(traffic, running[peer % receivers].port, share, random.Random(f"{seed} {peer}")),
        )
        for peer, share in enumerate(shares)
    ]
    held = Peer(running[0].port, calling="HOLDER", timeout=60)
    samples, started_at = watch(running, traffic, threads, instances, held)
    held.socket.close()
    seconds = time.monotonic() - started_at
    time.sleep(3)
    faults = [f"status 0x{status:04X} was answered" for status in traffic.refused]
    if len(traffic.acknowledged) != instances:
        faults.append(f"{instances} instances were sent and {len(traffic.acknowledged)} acknowledged")
    faults += promises.broken(traffic.acknowledged) + promises.left_over(receivers)
    if promises.count() != len(traffic.acknowledged):
        faults.append(f"{promises.count()} rows for {len(traffic.acknowledged)} instances")
    for receiver, series in zip(running, samples, strict=True):
        faults += grown(series)
        print(f"at rest: {receiver.usage()}")
        receiver.end()
    print(
        f"{instances} instances over {traffic.associations} associations to {receivers} receiver(s) in "
        f"{seconds:.0f} s ({len(traffic.acknowledged) / seconds:.0f}/s); {traffic.aborted} broken off, "
        f"{traffic.resent} sent again; {promises.count()} rows"
    )
    return faults, samples


def watch(
    running: list[Receiver], traffic: Traffic, threads: list[threading.Thread], instances: int, held: Peer
) -> tuple[list[list[Sample]], float]:
    """Let the peers send, and take samples until they have ended."""
    samples: list[list[Sample]] = [[] for _ in running]
    started_at, step = time.monotonic(), max(instances // 100, 50)
    for thread in threads:
        thread.start()
    alive = 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.2)
        done = len(traffic.acknowledged)
        if done >= step * len(samples[0]):
            seconds = time.monotonic() - started_at
            for receiver, series in zip(running, samples, strict=True):
                series.append(Sample(done, seconds, receiver.usage()))
        if time.monotonic() - started_at > 60 * alive:
            # More often than the receiver's patience with a silent association.
            held.store(make_instance(0, 0))
            alive += 1
    return samples, started_at


def grown(series: list[Sample]) -> list[str]:
    """Say what grew between the second fifth and the last one."""
    fifth = max(len(series) // 5, 1)
    early, late = series[fifth : 2 * fifth] or series, series[-fifth:]
    figures = (
        ("resident_bytes", GROWTH_BYTES),
        ("threads", GROWTH_THREADS),
        ("descriptors", GROWTH_DESCRIPTORS),
    )
    faults = []
    for name, allowed in figures:
        before, after = (max(getattr(sample.usage, name) for sample in part) for part in (early, late))
        print(f"{name}: at most {before:,} in the second fifth, {after:,} in the last")
        if after > before + allowed:
            faults.append(f"{name} grew from {before} to {after}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--instances", type=int, default=50_000)
    parser.add_argument("--receivers", type=int, choices=(1, 2), default=1, help="two need PostgreSQL")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--plot", type=Path, help="write the samples as a picture (SVG)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    needs_postgresql = given.database == "postgresql" or given.receivers > 1
    with promises.ground(needs_postgresql=needs_postgresql) as (folder, url):
        faults, samples = run(
            folder,
            instances=given.instances,
            receivers=given.receivers,
            seed=given.seed,
            database_url=url,
        )
        if given.plot:
            points = [
                (sample.instances, sample.usage.resident_bytes / 1e6, sample.usage.threads)
                for sample in samples[0]
            ]
            given.plot.write_text(draw(points), encoding="utf-8")
        return promises.report(faults)


if __name__ == "__main__":
    raise SystemExit(main())
