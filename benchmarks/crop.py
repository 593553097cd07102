"""How well and how fast the crop finds the anatomy, beside the naive form of the same steps.

    python benchmarks/crop.py [--images 238] [--threads 1]

The naive form is what tutorials do: scale to 8 bit, close, CLAHE and Canny with
fixed numbers at full size, then the rectangle around every edge.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.crop import Greys, Rectangle, find_crop
from worklist.synthetic import VIEWS, SyntheticRadiograph, draw_radiograph, random_film

FIRST_SEED = 700_000  # Neither tuned on nor tested on.


def naive_crop(greys: NDArray[np.uint16]) -> Rectangle:
    """Close, CLAHE, Canny and bounding box with fixed numbers at full size."""
    eight_bit = cv2.normalize(greys, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    closed = cv2.morphologyEx(eight_bit, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    edges = cv2.Canny(cv2.createCLAHE(2.0, (8, 8)).apply(closed), 100, 200)
    rows, columns = np.flatnonzero(edges.any(axis=1)), np.flatnonzero(edges.any(axis=0))
    if not len(rows):
        return 0, 0, *greys.shape
    return int(rows[0]), int(columns[0]), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def whole_image(greys: NDArray[np.uint16]) -> Rectangle:
    """Take everything."""
    return 0, 0, *greys.shape


def edge_crop(greys: Greys) -> Rectangle:
    """Crop as the product does."""
    return find_crop(greys).rectangle


METHODS: dict[str, Callable[[NDArray[np.uint16]], Rectangle]] = {
    "whole image": whole_image,
    "naive": naive_crop,
    "worklist": edge_crop,
}


def overlap(crop: Rectangle, truth: Rectangle) -> tuple[float, float]:
    """Give intersection over union, and the share of the truth inside the crop."""
    height = min(crop[0] + crop[2], truth[0] + truth[2]) - max(crop[0], truth[0])
    width = min(crop[1] + crop[3], truth[1] + truth[3]) - max(crop[1], truth[1])
    common = max(0, height) * max(0, width)
    return common / (crop[2] * crop[3] + truth[2] * truth[3] - common), common / (truth[2] * truth[3])


def drawn(number: int, size: tuple[int, int]) -> SyntheticRadiograph:
    """Draw one radiograph with frames, collimation, markers, text, noise and MONOCHROME1 at random."""
    pairs = [(body_part, view) for body_part, views in VIEWS.items() for view in views]
    body_part, view = pairs[number % len(pairs)]
    film = random_film(np.random.default_rng([FIRST_SEED, number]))
    return draw_radiograph(body_part, view, seed=FIRST_SEED + number, film=film, size=size)


def sixteen_bit(radiograph: SyntheticRadiograph) -> NDArray[np.uint16]:
    """Give the displayed greys over the whole range of 16 bit."""
    return np.rint(radiograph.displayed_greys * 65535).astype(np.uint16)


def print_accuracy(images: int) -> None:
    """Print one line per method."""
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in METHODS}
    silent = fell_back = 0
    for number in range(images):
        radiograph = drawn(number, (1250, 1000))
        greys = sixteen_bit(radiograph)
        for name, method in METHODS.items():
            results[name].append(overlap(method(greys), radiograph.anatomy_box))
        reason = find_crop(greys).reason
        fell_back += bool(reason)
        silent += results["worklist"][-1][0] < 0.5 and not reason
    print(f"{images} synthetic radiographs of 1250 x 1000")
    print("method        mean IoU  median    p5  worst | cover > 97 %   p5  worst")
    for name, pairs in results.items():
        iou, cover = np.array(pairs).T
        print(
            f"{name:13} {iou.mean():8.3f} {np.median(iou):7.3f} {np.percentile(iou, 5):5.2f} {iou.min():6.2f}"
            f" | {(cover > 0.97).mean():10.0%} {np.percentile(cover, 5):6.2f} {cover.min():6.2f}"
        )
    print(f"worklist: {fell_back} fell back with a reason; IoU under 0.5 without one: {silent}")


def print_speed(repeats: int) -> None:
    """Print milliseconds per image, the methods taking turns so that foreign load hits both."""
    greys = sixteen_bit(drawn(0, (2500, 2000)))
    timings: dict[str, list[float]] = {"naive": [], "worklist": []}
    for _ in range(repeats):
        for name, times in timings.items():
            start = time.perf_counter()
            METHODS[name](greys)
            times.append(1000 * (time.perf_counter() - start))
    print(f"\n2500 x 2000, 16 bit, {cv2.getNumThreads()} thread(s), median (fastest) of {repeats}")
    for name, times in timings.items():
        print(f"{name:13} {median(times):8.1f} ms ({min(times):.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy and speed of the crop.")
    parser.add_argument("--images", type=int, default=238)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    cv2.setNumThreads(arguments.threads)
    print_accuracy(arguments.images)
    print_speed(arguments.repeats)


if __name__ == "__main__":
    main()
