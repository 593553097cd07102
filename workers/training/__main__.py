"""Train a classifier from a snapshot: python -m workers.training SNAPSHOT --to FOLDER.

Fits the head on features of the frozen backbone, then trains further layers if the recipe says so. FOLDER gets
weights.npz, logits.jsonl and history.json. A run that was stopped or killed goes on when it is started again.
"""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from workers.training.events import Busy, Cancelled, Report, Stage, TrainingEvent, never
from worklist import settings
from worklist.classifiers.recipe import PRESETS, read_recipe
from worklist.dataset.snapshot import read_snapshot
from worklist.errors import Invalid, WorklistError

if TYPE_CHECKING:
    from workers.training.start import Start

STOPPED = 130
"""Exit status after Ctrl-C or SIGTERM, as shells give it."""

BUSY = 75
"""Exit status while another process trains in the folder: a later try may do (EX_TEMPFAIL of sysexits.h)."""


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m workers.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Recipes, times, memory and where weights come from: docs/training.md",
    )
    parser.add_argument("snapshot", type=Path, help="file of labelled images, each to fit, tune or test with")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="folder of this run")
    parser.add_argument(
        "--recipe",
        default="head",
        help=f"{', '.join(PRESETS)}, or a JSON file that names what differs from full (default: head)",
    )
    parser.add_argument(
        "--start",
        default="imagenet",
        help="imagenet (the file that WORKLIST_IMAGENET_WEIGHTS names; default), scratch, or a weights.npz",
    )
    parser.add_argument(
        "--start-sha256", default="", metavar="HASH", help="what the weights.npz must hash to, as registered"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="FOLDER",
        help="folder of prepared images and features, shared by runs (default: in WORKLIST_DATA_FOLDER)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="tell progress as JSON, one event a line, and stop when standard input ends: for a worker",
    )
    return parser.parse_args(arguments)


@contextmanager
def _stop_by_signal() -> Iterator[Callable[[], bool]]:
    """Give a function that says if Ctrl-C or SIGTERM came; the second one ends the process at once."""
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        signal.signal(number, signal.SIG_DFL)
        _say("Stopping at the next step; again to stop at once.")

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ended_input() -> Callable[[], bool]:
    """Give a function that says if standard input has ended: whoever started this is dead, or wants its end."""
    ended = threading.Event()

    def wait() -> None:
        # Not sys.stdin: a thread that holds its lock when the interpreter ends is a crash.
        while os.read(0, 4096):
            pass
        ended.set()

    threading.Thread(target=wait, name="standard-input", daemon=True).start()
    return ended.is_set


def _tell(event: TrainingEvent) -> None:
    sys.stdout.write(f"{json.dumps(asdict(event))}\n")
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def line(event: TrainingEvent) -> str:
    """Return an event as one line for a terminal."""
    words = [str(event.stage)]
    if event.epoch:
        words.append(f"epoch {event.epoch}/{event.epochs}")
    if event.steps:
        words.append(f"{event.step}/{event.steps}")
    if event.loss is not None:
        words.append(f"loss {event.loss:.4f}")
    words += [f"{name} {value:.3f}" for name, value in event.metrics.items()]
    if event.seconds_left:
        words.append(f"{_duration(event.seconds_left)} left")
    if event.message:
        words.append(event.message)
    return "  ".join(words)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _start(options: argparse.Namespace) -> "Start":
    from workers.training import start
    from workers.weights import sha256_of

    if options.start == "scratch":
        return start.scratch()
    if options.start != "imagenet":
        path = Path(options.start)
        return start.registered(path, sha256=options.start_sha256 or sha256_of(path))
    named = settings.current().imagenet_weights
    if not named:
        raise Invalid(
            f"WORKLIST_IMAGENET_WEIGHTS is empty: it names the file to start from. {start.WHERE_FROM}"
        )
    return start.imagenet(Path(named))


def _train(options: argparse.Namespace) -> None:
    recipe, images = read_recipe(options.recipe), read_snapshot(options.snapshot)
    cache = options.cache or settings.current().cache_folder / "training"
    # Only now: mistakes in what was typed are said within a second, TensorFlow takes several.
    import tensorflow as tf

    from workers.training.trainer import Places, train

    start, places = _start(options), Places(options.to, cache)
    for graphics in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(graphics, True)
    # The same seed, the same weights: on a GPU that costs some speed.
    tf.config.experimental.enable_op_determinism()
    has_ended = _ended_input() if options.json else never
    report: Report = _tell if options.json else lambda event: _say(line(event))
    with _stop_by_signal() as is_signalled:
        done = train(
            images, recipe, start, places, report=report, should_stop=lambda: is_signalled() or has_ended()
        )
    best = max(done.history, key=lambda epoch: epoch.figures)
    _say(f"Kappa {best.study_kappa:.3f} and AUC {best.study_auc:.3f} over the studies to tune with.")
    _say(f"{done.weights_path}  SHA-256 {done.sha256}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _options(arguments)
    try:
        _train(options)
    except Cancelled as error:
        _say(str(error))
        return STOPPED
    except WorklistError as error:
        _say(str(error))
        if options.json:
            _tell(TrainingEvent(Stage.START, message=str(error)))
        return BUSY if isinstance(error, Busy) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
