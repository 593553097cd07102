"""A training run that kills itself without warning: python -m tests.workers.training.killed_run FOLDER STEP."""

import os
import signal
import sys
from pathlib import Path

from tests.workers.training.tiny import FULL, tiny_images, tiny_start
from workers.training.events import Stage
from workers.training.trainer import Places, train


def main():
    folder, last = Path(sys.argv[1]), int(sys.argv[2])
    reached = []

    def count_fine_tuning(event):
        if event.stage is Stage.FINE_TUNING:
            reached.append(event)

    def kill_at_last():
        if reached:
            kill_at_last.asked += 1
        if kill_at_last.asked == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    kill_at_last.asked = 0
    images = tiny_images(folder / "images")
    places = Places(folder / "killed", folder / "cache")
    train(images, FULL, tiny_start(), places, report=count_fine_tuning, should_stop=kill_at_last)


if __name__ == "__main__":
    main()
