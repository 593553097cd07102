"""Calibrate the demo classifier on held-out patients and write its card."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.crop import PREPROCESSING_VERSION
from workers.training.demo.dataset import Snapshot
from workers.training.demo.evaluate import (
    Calibration,
    OperatingPoint,
    auc,
    best_threshold,
    fit_calibration,
    operating_point,
    sensitive_threshold,
)
from workers.training.demo.fit import Recipe
from workers.training.demo.images import CALIBRATION_SEEDS, TEST_SEEDS, TRAINING_SEEDS

NAME = "demo-1"
STATEMENT = (
    "Demo classifier, not validated: trained on drawn images, not on radiographs of people. "
    "Not for diagnosis and not a medical device."
)
LOOK_CLOSER_SENSITIVITY = 0.98


@dataclass(frozen=True)
class PartFigures:
    """One body part on the calibration set."""

    images: int
    auc: float
    calibration: Calibration
    flagged: OperatingPoint
    look_closer: OperatingPoint


def calibrate(network: keras.Model, images: Snapshot, size: int) -> dict[str, PartFigures]:
    """Fold one calibration for all into the head, then calibrate each body part.

    Parameters
    ----------
    images
        Patients that were not trained on.

    Returns
    -------
    dict
        Figures by body part. The network's head is changed: its logit 0 is probability 0.5 over
        all body parts, so that the class the heat map explains is the class that is flagged.
    """
    logits = logits_of(network, images, size)
    overall = fit_calibration(images.labels, logits)
    fold(network, overall)
    logits = logits * np.float32(overall.slope) + np.float32(overall.intercept)
    return {
        part: _part_figures(images.labels[chosen], logits[chosen])
        for part in sorted(set(images.body_parts))
        if (chosen := images.body_parts == part).any()
    }


def logits_of(network: keras.Model, images: Snapshot, size: int, *, batch: int = 8) -> NDArray[np.float32]:
    """Return the logit of each image, float32, shape (n,)."""
    run = tf.function(
        lambda greys: network(greys, training=False)["logit"],
        input_signature=[tf.TensorSpec((None, size, size), tf.float32)],
    )
    parts = [
        run(tf.constant(images.take(slice(at, at + batch)).crops(size))).numpy()
        for at in range(0, len(images), batch)
    ]
    return np.concatenate(parts)


def fold(network: keras.Model, calibration: Calibration) -> None:
    """Let the network itself apply a calibration: logit becomes slope * logit + intercept."""
    kernel, bias = network.get_layer("head").kernel, network.get_layer("logit").bias
    kernel.assign(kernel * calibration.slope)
    bias.assign(bias * calibration.slope + calibration.intercept)


def _part_figures(labels: NDArray[np.float32], logits: NDArray[np.float32]) -> PartFigures:
    """Calibrate one body part and choose its two operating points."""
    calibration = fit_calibration(labels, logits, toward=Calibration(1.0, 0.0), pull=4.0)
    chances = calibration.probability(logits)
    # Not below the probability of logit 0, under which the heat map explains the other class.
    flagged = max(best_threshold(labels, chances), float(calibration.probability(np.zeros(1))[0]))
    closer = min(sensitive_threshold(labels, chances, LOOK_CLOSER_SENSITIVITY), 0.6 * flagged)
    return PartFigures(
        len(labels),
        auc(labels, logits),
        calibration,
        operating_point(labels, chances, flagged),
        operating_point(labels, chances, closer),
    )


def write_card(path: Path, recipes: tuple[Recipe, ...], found: dict[str, PartFigures], *, sha256: str) -> None:
    """Write the card beside the weights."""
    card: dict[str, Any] = {
        "name": NAME,
        "is_demo": True,
        "statement": STATEMENT,
        "architecture": "DenseNet201, global average pooling, dropout, one logit",
        "weights": "weights.npz",
        "sha256": sha256,
        "input_size_px": recipes[0].input_size_px,
        "preprocessing_version": PREPROCESSING_VERSION,
        "data": {
            name: f"synthetic patients {seeds.start} to {seeds.stop - 1}, each once normal, once with a lesion"
            for name, seeds in (
                ("training", TRAINING_SEEDS),
                ("calibration", CALIBRATION_SEEDS),
                ("test", TEST_SEEDS),
            )
        },
        "command": "python -m workers.training.demo --work FOLDER",
        "recipes": [asdict(recipe) for recipe in recipes],
        "calibration": {part: asdict(f.calibration) for part, f in found.items()},
        "operating_points": {
            part: {"flagged": f.flagged.figures(), "look_closer": f.look_closer.figures()}
            for part, f in found.items()
        },
        "auc_on_calibration_set": {part: round(f.auc, 4) for part, f in found.items()},
    }
    path.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
