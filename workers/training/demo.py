"""Train the demo classifier on synthetic radiographs, from drawing to card, in one command.

    python -m workers.training.demo --work FOLDER

draws the patients, trains in phases, fits the last layer and the calibration, and writes
`weights.npz` and `card.json` into `workers/demo_classifier/`. Everything is seeded. A run that
was stopped goes on where the folder's last checkpoint was saved.
"""

import argparse
import logging
from pathlib import Path

import cv2
import keras

from workers.classifier import build_network
from workers.training.dataset import Snapshot
from workers.training.demo_images import CALIBRATION_SEEDS, TEST_SEEDS, TRAINING_SEEDS, draw_snapshot
from workers.training.fit import Fit, Phase, Recipe

log = logging.getLogger(__name__)

INPUT_SIZE_PX = 224

RECIPE = Recipe(
    phases=(
        Phase(size_px=64, batch=32, steps=900, rate=1e-3, last_rate=2e-4),
        Phase(size_px=96, batch=16, steps=300, rate=3e-4, last_rate=3e-5),
        Phase(size_px=224, batch=8, steps=160, rate=1e-4, last_rate=1e-6, is_statistics_frozen=True),
    ),
    seed=20,
    input_size_px=INPUT_SIZE_PX,
)

_SETS = {"training": TRAINING_SEEDS, "calibration": CALIBRATION_SEEDS, "test": TEST_SEEDS}


def snapshot(name: str, work: Path) -> Snapshot:
    """Return one of the three sets, drawn once and kept in the work folder."""
    path = work / f"{name}.npz"
    if not path.exists():
        log.info("set=%s drawing=%d patients", name, len(_SETS[name]))
        draw_snapshot(_SETS[name]).save(path)
    return Snapshot.load(path)


def fit_patches(network: keras.Model, work: Path) -> Fit:
    """Train the phases on patches."""
    fit = Fit(network, RECIPE, work / "checkpoints")
    fit.run(snapshot("training", work), until_phase=2)
    return fit


def main() -> None:
    """Run all stages, those done before from their files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--work", type=Path, required=True, help="folder for images and checkpoints")
    work: Path = parser.parse_args().work
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    work.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    keras.utils.set_random_seed(RECIPE.seed)
    fit_patches(build_network(), work)


if __name__ == "__main__":
    main()
