"""Train the demo classifier on synthetic radiographs, from drawing to card, in one command.

    python -m workers.training.demo --work FOLDER

draws the patients, trains a shallow DenseNet on patches and then on whole crops, grows it into
DenseNet201, trains that, calibrates it, and writes `weights.npz` and `card.json` into
`workers/demo_classifier/`. Everything is seeded. A run that was stopped goes on where the
folder's last checkpoint was saved.
"""

import argparse
import logging
from pathlib import Path

import cv2
import keras

from workers.classifier import build_network, save_weights
from workers.training.demo.card import calibrate, write_card
from workers.training.demo.dataset import Snapshot
from workers.training.demo.fit import Fit, Phase, Recipe
from workers.training.demo.grow import Layers, densenet, grow, lift_head
from workers.training.demo.images import CALIBRATION_SEEDS, TRAINING_SEEDS, draw_snapshot
from workers.training.demo.lift import evidence_of, find_lift

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parents[2] / "demo_classifier"
"""Where weights and card are shipped."""

SHALLOW: Layers = (3, 6, 12, 8)
"""Layers per block while most of the learning is done."""

LIFTED: Layers = (3, 6, 12, 9)
"""One more in the last block, which takes over from the head."""

SIZE_PX = 224

PATCHES = Recipe(
    phases=(
        Phase(size_px=64, batch=32, steps=800, rate=1e-3, last_rate=2e-4),
        Phase(size_px=96, batch=16, steps=250, rate=4e-4, last_rate=3e-5),
        Phase(size_px=96, batch=24, steps=600, rate=5e-4, last_rate=2e-5),
    ),
    seed=20,
    input_size_px=SIZE_PX,
)
"""Local appearance, on patches at the scale of the whole crop."""

CROPS = Recipe(
    phases=(Phase(size_px=SIZE_PX, batch=8, steps=240, rate=1e-4, last_rate=1e-6, is_statistics_frozen=True),),
    seed=21,
    input_size_px=SIZE_PX,
)
"""Whole crops."""

DEEP_CROPS = Recipe(
    phases=(Phase(size_px=SIZE_PX, batch=8, steps=20, rate=2e-5, last_rate=1e-6, is_statistics_frozen=True),),
    seed=22,
    input_size_px=SIZE_PX,
    warm_up=10,
)
"""Whole crops, the whole DenseNet201."""

LIFT_IMAGES = 700
_SETS = {"training": TRAINING_SEEDS, "calibration": CALIBRATION_SEEDS}


def snapshot(name: str, work: Path) -> Snapshot:
    """Return one of the sets, drawn once and kept in the work folder."""
    path = work / f"{name}.npz"
    if not path.exists():
        log.info("set=%s patients=%d", name, len(_SETS[name]))
        draw_snapshot(_SETS[name]).save(path)
    return Snapshot.load(path)


def train(work: Path) -> keras.Model:
    """Train a shallow network on patches, then on crops, grow it, and train the whole.

    Returns
    -------
    keras.Model
        DenseNet201 as `workers.classifier.build_network` makes it.
    """
    images = snapshot("training", work)
    shallow, lifted, deep = build_network(densenet(SHALLOW)), build_network(densenet(LIFTED)), build_network()
    patches = Fit(shallow, PATCHES, work / "patches")
    patches.run(images)
    grow(shallow, lifted, SHALLOW, LIFTED)
    some = images.take(slice(0, LIFT_IMAGES))
    lift = find_lift(evidence_of(shallow, some, SIZE_PX), some.labels)
    lift_head(lifted, LIFTED, lift)
    crops = Fit(lifted, CROPS, work / "crops", cell=lift.cell(patches.cell))
    crops.run(images)
    grow(lifted, deep, LIFTED)
    Fit(deep, DEEP_CROPS, work / "deep", cell=crops.cell).run(images)
    return deep


def main() -> None:
    """Run all stages, those done before from their files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for images and checkpoints")
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder for weights and card")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for folder in (options.work, options.to):
        folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    keras.utils.set_random_seed(PATCHES.seed)
    network = train(options.work)
    found = calibrate(network, snapshot("calibration", options.work), SIZE_PX)
    sha256 = save_weights(network, options.to / "weights.npz")
    write_card(options.to / "card.json", (PATCHES, CROPS, DEEP_CROPS), found, sha256=sha256)


if __name__ == "__main__":
    main()
