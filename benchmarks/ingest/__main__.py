"""Send the same files to several receivers and compare; guards keep a broken run from counting.

The port must be free before, the receiver must live and have used processor time afterwards, and it must hold
as many instances as were sent.
"""

import argparse
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.uid import JPEG2000Lossless

from benchmarks.ingest.peers import ENVIRONMENT, Orthanc, Peer, Plain, Storescp, Worklist
from worklist.synthetic import dataset as synthetic
from worklist.synthetic.radiograph import draw_radiograph


@dataclass(frozen=True)
class FileSet:
    """Files of one kind: the side of the image in pixels, how many, and what storescu has to propose."""

    name: str
    side: int
    count: int
    is_compressed: bool = False

    def write(self, folder: Path) -> list[Path]:
        """Write the files, four images to a study."""
        folder.mkdir(exist_ok=True)
        template = synthetic.make_dataset(draw_radiograph("WRIST", "PA", seed=1))
        pixels = np.random.default_rng(1).integers(0, 4096, (self.side, self.side), np.uint16)
        template.Rows, template.Columns, template.PixelData = self.side, self.side, pixels.tobytes()
        if self.is_compressed:
            template = synthetic.compress(template, JPEG2000Lossless)
        paths = []
        for number in range(self.count):
            template.SOPInstanceUID = synthetic.uid(folder, number)
            template.file_meta.MediaStorageSOPInstanceUID = template.SOPInstanceUID
            template.StudyInstanceUID = synthetic.uid(folder, "study", number // 4)
            template.SeriesInstanceUID = synthetic.uid(folder, "series", number // 4)
            template.PatientID = f"SYN-{number // 4}"
            paths.append(folder / f"{number:05}.dcm")
            template.save_as(paths[-1], enforce_file_format=True)
        return paths


SETS = (
    FileSet("10 MB", 2236, 64),
    FileSet("0.5 MB", 500, 480),
    FileSet("JPEG 2000", 1400, 96, is_compressed=True),
)


@dataclass(frozen=True)
class Measured:
    """One run: instances and bytes a second, processor milliseconds an instance, memory."""

    instances_per_second: float
    mb_per_second: float
    cpu_ms: float
    peak_mb: float
    mb_per_association: float


def send(paths: list[Path], ports: list[int], associations: int, *, is_compressed: bool) -> float:
    """Send with storescu over so many associations at once, and return the seconds it took."""
    proposal = ["-xv"] if is_compressed else []
    to = ["-pdu", "131072", "-aec", "WORKLIST", "127.0.0.1"]
    commands = [
        ["storescu", *proposal, *to, str(ports[start % len(ports)]), *map(str, paths[start::associations])]
        for start in range(associations)
    ]
    codes: list[int] = []

    def run(command: list[str]) -> None:
        codes.append(subprocess.run(command, env=ENVIRONMENT, capture_output=True).returncode)

    threads = [threading.Thread(target=run, args=(command,)) for command in commands]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    assert not any(codes), f"storescu ended with {codes}"
    return seconds


def measure(kind: type[Peer], paths: list[Path], associations: int, *, is_compressed: bool) -> Measured:
    """Send the files to a fresh receiver."""
    peer = kind(Path(tempfile.mkdtemp(prefix="ingest-", dir=paths[0].parent.parent)))
    peer.start()
    try:
        # One image for what every program loads and caches at its first one.
        ports = peer.ports()
        for port, path in zip(ports, paths, strict=False):
            send([path], [port], 1, is_compressed=is_compressed)
        rest = paths[len(ports) :]
        before, at_rest = peer.cpu_seconds(), peer.resident_mb()
        seconds = send(rest, ports, associations, is_compressed=is_compressed)
        time.sleep(0.3)
        used = peer.cpu_seconds() - before
        assert used > 0, f"{kind.name} has used no processor time: somebody else received the files"
        assert peer.held() == len(paths), f"{kind.name} holds {peer.held()} of {len(paths)}"
        size = sum(path.stat().st_size for path in rest) / 1e6
        peak = peer.peak_mb()
        return Measured(
            instances_per_second=len(rest) / seconds,
            mb_per_second=size / seconds,
            cpu_ms=1000 * used / len(rest),
            peak_mb=peak,
            mb_per_association=(peak - at_rest) / associations,
        )
    finally:
        peer.stop()


def report(name: str, runs: list[Measured], beside: dict[str, float]) -> float:
    """Print the medians of one receiver, and its ratio to those measured before; return its instances/s."""

    def median(key: str) -> float:
        return statistics.median(getattr(run, key) for run in runs)

    rate = median("instances_per_second")
    ratios = "  ".join(f"{rate / other:.2f} of {peer}" for peer, other in beside.items())
    print(
        f"  {name:18} {rate:7.1f}/s {median('mb_per_second'):7.1f} MB/s  {median('cpu_ms'):6.1f} ms CPU  "
        f"peak {median('peak_mb'):5.0f} MB  +{median('mb_per_association'):5.1f} MB/assoc.  {ratios}",
        flush=True,
    )
    return rate


def main() -> None:
    """Measure and print."""
    kinds: dict[str, type[Peer]] = {kind.name: kind for kind in (Storescp, Orthanc, Plain, Worklist)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--sets", nargs="+", default=[one.name for one in SETS])
    parser.add_argument("--peers", nargs="+", default=list(kinds), choices=list(kinds))
    parser.add_argument("--database-url", default="", help="PostgreSQL for Worklist; emptied before each run")
    parser.add_argument("--processes", type=int, default=1, help="receiver processes of Worklist")
    arguments = parser.parse_args()
    Worklist.database_url, Worklist.processes_count = arguments.database_url, arguments.processes
    with tempfile.TemporaryDirectory() as folder:
        for file_set in (one for one in SETS if one.name in arguments.sets):
            paths = file_set.write(Path(folder) / file_set.name.replace(" ", "-"))
            for associations in arguments.associations:
                print(f"{file_set.name}, {associations} association{'s' if associations > 1 else ''}")
                runs: dict[str, list[Measured]] = {name: [] for name in arguments.peers}
                # In turns, so that what else the machine does hits all of them.
                for _ in range(arguments.repeats):
                    for name, found in runs.items():
                        found.append(
                            measure(kinds[name], paths, associations, is_compressed=file_set.is_compressed)
                        )
                beside: dict[str, float] = {}
                for name, found in runs.items():
                    beside[name] = report(name, found, beside)


if __name__ == "__main__":
    main()
