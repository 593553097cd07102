"""From the last byte of a study to its ranked row, with a warm worker.

    PYTHONPATH=. .venv/bin/python benchmarks/latency.py [rounds]

Starts a whole site (broker, receiver, workers, scheduler) in a temporary folder, warms it with one study, then
sends studies of three 2000 × 2500 images by storescu over one association and measures, for each, the time from
storescu's end (the last image is acknowledged) to the committed row with the probability of all three images.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import select

from tests.ports import free_port
from tests.system.stack import PRESENTATION_CONTEXTS, Stack
from worklist import database, settings
from worklist.synthetic.dataset import make_study
from worklist.tables import Instance, Result, Series, Study

IMAGES = 3
SIZE = (2500, 2000)


def study_files(folder: Path, seed: int) -> list[Path]:
    paths = []
    for index, dataset in enumerate(make_study("WRIST", seed=seed, size=SIZE)[:IMAGES]):
        path = folder / f"{seed}-{index}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def is_ranked(study_instance_uid: str) -> bool:
    with database.reading() as session:
        study = session.scalars(
            select(Study).where(Study.study_instance_uid == study_instance_uid, Study.result == Result.SCORED)
        ).first()
        if study is None:
            return False
        waiting = session.scalars(
            select(Instance.id).join(Series).where(Series.study_id == study.id, Instance.needs_analysis)
        ).first()
        return waiting is None


def round_trip(site: Stack, paths: list[Path]) -> tuple[float, float]:
    import pydicom

    uid = str(pydicom.dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)
    command = ["storescu", "-xf", str(PRESENTATION_CONTEXTS), "Any", "-aec", "WORKLIST", "127.0.0.1"]
    began = time.perf_counter()
    subprocess.run(
        [*command, str(site.current.receiver_port), *map(str, paths)], check=True, env={"TCP_NODELAY": "1"}
    )
    sent = time.perf_counter()
    while not is_ranked(uid):
        time.sleep(0.005)
        if time.perf_counter() - sent > 120:
            raise TimeoutError("no rank within 120 s")
    return sent - began, time.perf_counter() - sent


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = [study_files(folder, seed) for seed in range(900, 901 + rounds)]
        settings.replace(receiver_port=free_port(), minimum_free_bytes=0)
        site = Stack(folder / "site", ("broker", "receiver", "inference", "background", "scheduler"))
        site.start()
        try:
            round_trip(site, files[0])
            times = [round_trip(site, paths) for paths in files[1:]]
        finally:
            site.stop()
    transfer = [one for one, _ in times]
    ranked = [two for _, two in times]
    print(f"{rounds} studies of {IMAGES} images of {SIZE[1]} × {SIZE[0]}, 16 bits")
    print(f"transfer             median {statistics.median(transfer):.2f} s")
    print(f"last byte to rank    median {statistics.median(ranked):.2f} s   worst {max(ranked):.2f} s")


if __name__ == "__main__":
    main()
