"""Run every way in a process of its own, compare what they found, and print one table for each input size.

    python -m benchmarks.inference [--quick]

Aims: beside the tutorial 20 times for one image and 7 times in batches of 8, 1.5 times the traced function,
80 % of the float32 matrix peak at 224 px, a correlation of heat maps of 0.999, the first result of a worker
after 15 s, 1.5 GB.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.inference.peak import LIBRARIES
from benchmarks.inference.ways import WAYS
from worklist.synthetic import draw_radiograph

QUIET = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
Found = dict[str, Any]


def child(module: str, *arguments: object, **variables: str) -> str:
    """Run a module of this package and give what it printed last."""
    command = [sys.executable, "-m", f"benchmarks.inference.{module}", *map(str, arguments)]
    done = subprocess.run(command, env={**QUIET, **variables}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout.splitlines()[-1]


def draw(path: Path, shape: tuple[int, int]) -> None:
    """Draw four radiographs, half of them with a lesion."""
    views = [("WRIST", "PA"), ("HAND", "PA"), ("FOREARM", "AP"), ("ELBOW", "LL")]
    drawn = [
        draw_radiograph(*view, seed=seed, size=shape, lesion="break" if seed % 2 else None)
        for seed, view in enumerate(views, start=800_000)
    ]
    np.save(path, np.stack([radiograph.displayed_greys for radiograph in drawn]).astype(np.float32))


def peak(precision: str) -> tuple[float, str]:
    """Give the GFLOP/s of a large matrix product in the fastest of the libraries, and all in words."""
    rates = {
        library: float(child("peak", library, precision))
        for library in LIBRARIES
        if (library, precision) != ("numpy", "bfloat16")
    }
    return max(rates.values()), ", ".join(f"{library} {rate:.0f}" for library, rate in rates.items())


def merged(rounds: Iterable[Found]) -> Found:
    """Put the repeats of all rounds together."""
    first, *others = rounds
    for other in others:
        for kind in ("network", "whole"):
            for count, times in other[kind].items():
                first[kind][count] += times
        first["peak_mb"] = max(first["peak_mb"], other["peak_mb"])
    return first


def check(found: dict[str, Found]) -> None:
    """Say how far each way is from the traced textbook; float32 must not be far."""
    expected = found["traced"]
    print(
        f"\n{'beside the traced textbook':28} largest change of a probability   correlation of heat maps, least"
    )
    for name, one in found.items():
        change = np.abs(_probability(one["logits"]) - _probability(expected["logits"])).max()
        pairs = [
            (np.ravel(ours), np.ravel(theirs))
            for ours, theirs in zip(one["maps"], expected["maps"], strict=True)
            if np.any(ours) or np.any(theirs)
        ]
        least = min(np.corrcoef(*pair)[0, 1] for pair in pairs)
        print(f"  {name:26} {change:.2e} {least:37.6f}")
        assert name == "bfloat16" or (change < 1e-4 and least > 0.999), f"{name} computes something else"


def _probability(logits: list[float]) -> np.ndarray:
    return 1 / (1 + np.exp(-np.array(logits)))


def table(found: dict[str, Found], side: int, counts: list[int]) -> None:
    """Print milliseconds for one image: all of it, and in brackets without crop and drawing of the map."""
    print(f"\n{side} px, ms per image: crop, network and heat map (network and evidence alone); images/s")
    print(f"  {'':12}" + "".join(f"{f'{count} at once':>28}" for count in counts) + f"{'peak memory':>14}")
    for name, one in found.items():
        cells = ""
        for count in map(str, counts):
            if count in one["whole"]:
                whole, network = (median(one[kind][count]) / int(count) for kind in ("whole", "network"))
                cells += f"{f'{whole:8.1f} ({network:6.1f}) {1000 / whole:6.1f}/s':>28}"
            else:
                cells += f"{'-':>28}"
        print(f"  {name:12}{cells}{one['peak_mb']:11.0f} MB")


def ratios(found: dict[str, Found], side: int, best: float) -> None:
    """Print how many times as fast OpenVINO is, and how near to the peak of the machine."""
    ours = found["openvino"]
    print("\n  openvino is faster than")
    for other in ("tutorial", "traced", "tensorflow"):
        cells = "".join(f"{_ratios(found[other], ours, count):>28}" for count in ours["whole"])
        print(f"  {other:12}{cells}")
    fastest = min(median(times) / int(count) for count, times in ours["network"].items())
    for words, work in (
        ("of the textbook's graph", found["tutorial"]["gflop"]),
        ("it really computes", ours["gflop"]),
    ):
        rate = 1000 * work / fastest
        print(
            f"  {side} px: {work:.2f} GFLOP {words} -> {rate:.0f} GFLOP/s, {rate / best:.0%} of the matrix peak"
        )


def _ratios(other: Found, ours: Found, count: str) -> str:
    if count not in other["whole"]:
        return "-"
    whole, network = (median(other[kind][count]) / median(ours[kind][count]) for kind in ("whole", "network"))
    return f"{whole:.1f} × ({network:.1f} ×)"


def start(images: Path) -> None:
    """Print how long a worker takes from its start to its first result, and its memory."""
    print("\na worker's process, from its start to its first result")
    for engine in ("openvino", "tensorflow"):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            megabytes = child("start", images, WORKLIST_ENGINE=engine, WORKLIST_DATA_FOLDER=folder)
            seconds = time.perf_counter() - started
        print(f"  {engine:12} {seconds:5.1f} s   {float(megabytes):6.0f} MB at most")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="224 px, small images, few repeats: does it run?")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each way, in turns")
    parser.add_argument("--seconds", type=float, default=4, help="repeats of each cell in one process")
    parser.add_argument("--sides", type=int, nargs="+", default=[224, 320])
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 3, 8, 16])
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.sides, options.counts = 1, 0.5, [224], [1, 3, 8]
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.npy"
        draw(images, (1250, 1000) if options.quick else (2500, 2000))
        print(f"matrix peak in bfloat16, GFLOP/s: {peak('bfloat16')[1]}", flush=True)
        best = 0.0
        for side in options.sides:
            runs: dict[str, list[Found]] = {name: [] for name in WAYS}
            for _ in range(options.rounds):
                # In turns with the ways: the peak of a shared machine changes too.
                rate, words = peak("float32")
                best = max(best, rate)
                print(f"matrix peak in float32, GFLOP/s: {words}", flush=True)
                for name, found in runs.items():
                    arguments = [name, images, side, "--seconds", options.seconds, "--counts", *options.counts]
                    found.append(json.loads(child("contender", *arguments)))
            results = {name: merged(found) for name, found in runs.items()}
            table(results, side, options.counts)
            ratios(results, side, best)
            check(results)
        start(images)


if __name__ == "__main__":
    main()
