"""What the demo classifier reaches on patients it has never seen, through the product's own pipeline.

    python benchmarks/demo_classifier.py [--patients 350]

Each patient is drawn once normal and once with a lesion. The card's calibration and flag are
applied per body part. Targets: AUC of at least 0.95, heat map in the drawn region in at least
80 % of the flagged abnormal images.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from workers.classifier import Classifier
from workers.training.demo.evaluate import Calibration
from workers.training.demo.figures import ROWS, Judged, by_kind, figures, judge
from workers.training.demo.images import TEST_SEEDS

FOLDER = Path(__file__).parents[1] / "workers" / "demo_classifier"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--patients", type=int, default=len(TEST_SEEDS))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of weights and card")
    options = parser.parse_args()
    card = json.loads((options.folder / "card.json").read_text(encoding="utf-8"))
    classifier = Classifier.load(
        options.folder / card["weights"], sha256=card["sha256"], input_size_px=card["input_size_px"]
    )
    started = time.monotonic()
    judged = judge(TEST_SEEDS[: options.patients], classifier)
    print_table(judged, card)
    print_lesions(judged, card)
    seconds = (time.monotonic() - started) / len(judged)
    print(f"\n{seconds:.2f} s per image, drawing included")


def calibrated(judged: list[Judged], card: dict) -> tuple[np.ndarray, list[float]]:
    """Return probability and threshold of the flag for each image."""
    chances = [
        Calibration(**card["calibration"][item.body_part]).probability(np.array([item.logit]))[0]
        for item in judged
    ]
    thresholds = [card["operating_points"][item.body_part]["flagged"]["threshold"] for item in judged]
    return np.array(chances), thresholds


def print_table(judged: list[Judged], card: dict) -> None:
    """Print figures of all images and of each body part."""
    chances, thresholds = calibrated(judged, card)
    print(f"{'body part':<10} {'images':>6} {'AUC':>6} {'sens.':>6} {'spec.':>6} {'heat map in place':>18}")
    for part in ROWS:
        chosen = by_kind(judged, part)
        found = figures([judged[i] for i in chosen], chances[chosen], [thresholds[i] for i in chosen])
        print(
            f"{part or 'all':<10} {found.images:>6} {found.auc:>6.3f} {found.sensitivity:>6.3f} "
            f"{found.specificity:>6.3f} {found.hit_share:>18.3f}"
        )


def print_lesions(judged: list[Judged], card: dict) -> None:
    """Print how often each kind of lesion is flagged, and found in its place."""
    chances, thresholds = calibrated(judged, card)
    for lesion in sorted({item.lesion for item in judged} - {""}):
        chosen = [i for i, item in enumerate(judged) if item.lesion == lesion]
        flagged = [i for i in chosen if chances[i] >= thresholds[i]]
        in_place = np.mean([judged[i].is_hit for i in flagged]) if flagged else float("nan")
        print(
            f"{lesion:<12} {len(chosen):>4}  flagged {len(flagged) / len(chosen):.3f}  in place {in_place:.3f}"
        )


if __name__ == "__main__":
    main()
