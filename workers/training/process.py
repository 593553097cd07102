"""The trainer in a process of its own: followed line by line, told to stop by closing its standard input.

TensorFlow gives memory back only at the end of its process; and if this worker dies, the trainer reads the end
of its input, keeps a checkpoint and ends.
"""

import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

SECONDS_BETWEEN = 0.5
STOP_SECONDS = 90
"""One step of the whole DenseNet201 on two cores takes ten seconds, and its checkpoint one."""


def follow(
    command: Sequence[str], *, tell: Callable[[str], None], should_stop: Callable[[], bool], log: Path
) -> int:
    """Run a program to its end and return its exit status; negative: the signal that ended it.

    Parameters
    ----------
    tell
        Gets each line of its standard output, from this thread.
    should_stop
        Asked twice a second. Once it says so the program's standard input is closed; a program that goes on
        for `STOP_SECONDS` after that is killed.
    log
        Where its standard error is appended.
    """
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8"
        ) as process,
    ):
        threading.Thread(target=_stop_if, args=(process, should_stop), daemon=True).start()
        try:
            for line in process.stdout or ():
                tell(line)
        except BaseException:
            process.kill()
            raise
        return process.wait()


def _stop_if(process: "subprocess.Popen[str]", should_stop: Callable[[], bool]) -> None:
    while not should_stop():
        try:
            process.wait(SECONDS_BETWEEN)
        except subprocess.TimeoutExpired:
            continue
        return
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
