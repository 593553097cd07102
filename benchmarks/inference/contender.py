"""One way in a process of its own: ``python -m benchmarks.inference.contender WAY IMAGES SIDE --counts 1 3``.

Prints one line of JSON: milliseconds of each repeat, memory, logits, and maps.
"""

import argparse
import json
import time
from collections.abc import Callable
from itertools import cycle, islice

import numpy as np

from benchmarks.inference.ways import WAYS
from workers.square import prepare


def peak_mb() -> float:
    """Give the most memory that this process ever had resident."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))


def timed(call: Callable[[], object], seconds: float) -> list[float]:
    """Repeat a call after a warm-up, at least three times, and give milliseconds of each."""
    call()
    milliseconds: list[float] = []
    while len(milliseconds) < 3 or (sum(milliseconds) < 1000 * seconds and len(milliseconds) < 100):
        started = time.perf_counter()
        call()
        milliseconds.append(1000 * (time.perf_counter() - started))
    return milliseconds


def main() -> None:
    """Measure one way and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("images", help="file of greys, float32 (n, rows, columns)")
    parser.add_argument("side", type=int)
    parser.add_argument("--counts", type=int, nargs="+", default=[1])
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    way = WAYS[options.way](options.side)
    drawn = np.load(options.images)
    found: dict[str, object] = {"network": {}, "whole": {}}
    for count in (count for count in options.counts if count <= way.largest_batch):
        images = list(islice(cycle(drawn), count))
        squares = np.stack([prepare(greys, options.side).square for greys in images])
        found["network"][count] = timed(lambda squares=squares: way.judge(squares), options.seconds)
        found["whole"][count] = timed(lambda images=images: way.analyse(images), options.seconds)
    logits, maps = way.judge(np.stack([prepare(greys, options.side).square for greys in drawn]))
    found |= {"peak_mb": peak_mb(), "logits": logits.tolist(), "maps": maps.tolist()}
    found["gflop"] = way.gflop() if options.way in ("tutorial", "traced", "openvino") else None
    print(json.dumps(found))


if __name__ == "__main__":
    main()
