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

from workers.classifier import build_network, save_weights
from workers.training.dataset import Snapshot
from workers.training.demo_card import calibrate, write_card
from workers.training.demo_images import CALIBRATION_SEEDS, TRAINING_SEEDS, draw_snapshot
from workers.training.fit import Fit, Phase, Recipe
from workers.training.grow import densenet, grow
from workers.training.head import fit_head, pooled_features

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parents[1] / "demo_classifier"
"""Where weights and card are shipped."""

SHALLOW = (3, 6, 12, 8)
"""Layers per block while most of the learning is done."""

RECIPE = Recipe(
    phases=(
        Phase(size_px=64, batch=32, steps=800, rate=1e-3, last_rate=2e-4),
        Phase(size_px=96, batch=16, steps=250, rate=4e-4, last_rate=3e-5),
        Phase(size_px=224, batch=8, steps=250, rate=1e-4, last_rate=2e-6, is_statistics_frozen=True),
    ),
    seed=20,
    input_size_px=224,
)
"""Local appearance first, on patches at the scale of the whole crop; whole crops last."""

DEEP_RECIPE = Recipe(
    phases=(Phase(size_px=224, batch=8, steps=30, rate=2e-5, last_rate=1e-6, is_statistics_frozen=True),),
    seed=21,
    input_size_px=224,
    warm_up=10,
)
"""The whole DenseNet201, grown from the shallow network."""

HEAD_IMAGES = 700
HEAD_RIDGE = 0.03
_PATCH_PHASES = 2
_SETS = {"training": TRAINING_SEEDS, "calibration": CALIBRATION_SEEDS}


def snapshot(name: str, work: Path) -> Snapshot:
    """Return one of the sets, drawn once and kept in the work folder."""
    path = work / f"{name}.npz"
    if not path.exists():
        log.info("set=%s patients=%d", name, len(_SETS[name]))
        draw_snapshot(_SETS[name]).save(path)
    return Snapshot.load(path)


def train(work: Path) -> keras.Model:
    """Train the shallow network, grow it, and train the whole."""
    shallow, deep = build_network(densenet(SHALLOW)), build_network()
    train_shallow(shallow, work)
    grow(shallow, deep, SHALLOW)
    Fit(deep, DEEP_RECIPE, work / "deep").run(snapshot("training", work))
    return deep


def train_shallow(network: keras.Model, work: Path, recipe: Recipe = RECIPE) -> None:
    """Train all phases; between patches and whole crops the head is fitted to whole crops.

    Notes
    -----
    On a patch a lesion fills a quarter of the pooled cells, on a crop a tenth: without a new
    head the last phase would spend its few steps on the scale of one layer.
    """
    images = snapshot("training", work)
    fit = Fit(network, recipe, work / "shallow")
    fit.run(images, until_phase=_PATCH_PHASES)
    if fit.steps_done == sum(phase.steps for phase in recipe.phases[:_PATCH_PHASES]):
        log.info("fitting the head on images=%d", HEAD_IMAGES)
        some = images.take(slice(0, HEAD_IMAGES))
        features = pooled_features(network, some, recipe.input_size_px)
        fit_head(network, features, some.labels, ridge=HEAD_RIDGE)
    fit.run(images)


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
    keras.utils.set_random_seed(RECIPE.seed)
    network = train(options.work)
    found = calibrate(network, snapshot("calibration", options.work), RECIPE.input_size_px)
    sha256 = save_weights(network, options.to / "weights.npz")
    write_card(options.to / "card.json", (RECIPE, DEEP_RECIPE), found, sha256=sha256)


if __name__ == "__main__":
    main()
