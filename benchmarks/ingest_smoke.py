"""Measure the receiver, and kill it: python benchmarks/ingest_smoke.py [images] [rounds].

Throughput (left out for 0 images): storescu sends 10 MB and 0.5 MB images over one and four associations.
Crash: the receiver is killed (SIGKILL) while four senders send; every acknowledged instance must have its row
and its file.

Guards, because an orphaned listener once made every figure wrong: the port must be free before, the process
that was started must have used processor time afterwards, and it ends with this program.
"""

import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from sqlalchemy import select

from worklist import archive, database, schema, settings
from worklist.synthetic import dataset as synthetic
from worklist.synthetic.radiograph import draw_radiograph
from worklist.tables import Instance

ACKNOWLEDGED = re.compile(r"Sending file: (\S+).*?Received Store Response \(Success\)", re.DOTALL)
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}


class Receiver:
    """``worklist receive`` in a process of its own."""

    def __init__(self, port: int) -> None:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, "somebody else listens on the port"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "worklist", "receive"], stderr=subprocess.DEVNULL
        )
        # An echo, since the port is open before what an earlier crash left has been adopted.
        while subprocess.run(["echoscu", "127.0.0.1", str(port)], capture_output=True).returncode:
            assert self.process.poll() is None, "the receiver did not start"
            time.sleep(0.1)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def make_images(folder: Path, count: int, side: int) -> list[Path]:
    """Write images of side x side pixels, all instances of a few studies."""
    template = synthetic.make_dataset(draw_radiograph("WRIST", "PA", seed=1))
    pixels = np.random.default_rng(1).integers(0, 4096, (side, side), np.uint16)
    template.Rows, template.Columns, template.PixelData = side, side, pixels.tobytes()
    paths = []
    for number in range(count):
        template.SOPInstanceUID = synthetic.uid(folder, number)
        template.file_meta.MediaStorageSOPInstanceUID = template.SOPInstanceUID
        template.StudyInstanceUID = synthetic.uid(folder, "study", number // 4)
        paths.append(folder / f"{template.SOPInstanceUID}.dcm")
        template.save_as(paths[-1])
    return paths


def send(paths: list[Path], port: int, associations: int) -> list[str]:
    """Send with storescu and return the UIDs that were acknowledged."""
    acknowledged: list[str] = []

    def run(part: list[Path]) -> None:
        command = ["storescu", "-v", "127.0.0.1", str(port), *map(str, part)]
        said = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
        acknowledged.extend(Path(name).stem for name in ACKNOWLEDGED.findall(said.stdout + said.stderr))

    parts = [paths[start::associations] for start in range(associations)]
    threads = [threading.Thread(target=run, args=(part,)) for part in parts if part]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return acknowledged


def measure(folder: Path, port: int, count: int) -> None:
    for name, side, factor in (("10 MB", 2236, 1), ("0.5 MB", 500, 4)):
        for associations in (1, 4):
            images = make_images(Path(tempfile.mkdtemp(dir=folder)), count * factor, side)
            receiver = Receiver(port)
            before, started = receiver.cpu_seconds(), time.perf_counter()
            acknowledged = send(images, port, associations)
            seconds, used = time.perf_counter() - started, receiver.cpu_seconds() - before
            peak = receiver.resident_mb()
            receiver.kill()
            assert len(acknowledged) == len(images), f"only {len(acknowledged)} of {len(images)}"
            assert used > 0, "somebody else received them"
            rate, cost = len(images) / seconds, 1000 * used / len(images)
            figures = f"{rate:.1f}/s, {cost:.1f} ms CPU each, peak {peak:.0f} MB"
            print(f"{name} x {associations} associations: {figures}")


def crash(folder: Path, port: int, rounds: int) -> None:
    acknowledged: list[str] = []
    for _ in range(rounds):
        images = make_images(Path(tempfile.mkdtemp(dir=folder)), 64, 500)
        receiver = Receiver(port)
        killer = threading.Thread(target=kill_after, args=(receiver, random.randint(1, len(images) // 2)))
        killer.start()
        acknowledged += send(images, port, 4)
        killer.join()
    Receiver(port).kill()  # adopts what has no rows
    with database.reading() as session:
        rows = dict(session.execute(select(Instance.sop_instance_uid, Instance.file_path)).all())
    without_row = [uid for uid in acknowledged if uid not in rows]
    without_file = [uid for uid, path in rows.items() if not archive.has(path)]
    kept = {path.relative_to(settings.current().archive_folder).as_posix() for path in all_files()}
    print(
        f"killed {rounds} times: {len(acknowledged)} acknowledged, {len(without_row)} without row, "
        f"{len(without_file)} rows without file, {len(kept - set(rows.values()))} files without row"
    )
    assert acknowledged, "nothing was acknowledged, so nothing was tested"
    assert not without_row
    assert not without_file


def kill_after(receiver: Receiver, files: int) -> None:
    """Kill the receiver once that many more files lie in the archive: by count, as hosts differ in speed."""
    enough = len(all_files()) + files
    while len(all_files()) < enough:
        time.sleep(0.005)
    time.sleep(random.uniform(0, 0.05))
    receiver.kill()


def all_files() -> list[Path]:
    return list(settings.current().archive_folder.glob("2*/*/*/*.dcm"))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        folder = Path(name)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        os.environ.update(
            WORKLIST_DATA_FOLDER=str(folder / "data"),
            WORKLIST_RECEIVER_PORT=str(port),
            WORKLIST_MINIMUM_FREE_BYTES="0",
            WORKLIST_LOG_LEVEL="ERROR",
            # Nobody listens there: jobs are left to the sweep, as with a broker that is away.
            WORKLIST_BROKER_URL="redis://127.0.0.1:1/0",
        )
        schema.upgrade(database.engine())
        if count:
            measure(folder, port, count)
        crash(folder, port, rounds)


if __name__ == "__main__":
    main()
