"""A worker's process from its start to its first result: ``python -m benchmarks.inference.start IMAGES``.

It loads what an inference worker loads, classifies one image, and prints the most memory it had, in MB; the
engine is that of ``WORKLIST_ENGINE``.
"""

import json
import sys

import numpy as np

import workers.app
import workers.tasks  # noqa: F401 - as a worker does
from benchmarks.inference.contender import peak_mb
from benchmarks.inference.ways import WEIGHTS
from workers.engines import choice
from workers.pipeline import predict


def main() -> None:
    """Classify one image."""
    card = json.loads((WEIGHTS.parent / "card.json").read_text(encoding="utf-8"))
    network = choice.load(WEIGHTS, sha256=card["sha256"], input_size_px=card["input_size_px"])
    assert predict([np.load(sys.argv[1], mmap_mode="r")[0].copy()], network)[0].logit is not None
    print(peak_mb(), flush=True)


if __name__ == "__main__":
    main()
