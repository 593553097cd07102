"""The demo's supervisor: restarts what dies and leaves nothing behind, even when it is killed itself."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.system.stack import python, site_processes, wait_until
from worklist import settings
from worklist.demo.supervise import Program, Supervisor

pytestmark = pytest.mark.system

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def supervisor(tmp_path: Path) -> Supervisor:
    environment = settings.child_environment(data_folder=tmp_path)
    return Supervisor(tmp_path / "run", [Program("one", 1, SLEEP), Program("two", 2, SLEEP)], environment)


def _sleepers(folder: Path) -> list[int]:
    return [pid for pid, command in site_processes(folder).items() if "time.sleep" in command]


def test_program_that_dies_is_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start()
    try:
        wait_until(lambda: len(_sleepers(tmp_path)) == 2, "both programs run", 30)
        victim = _sleepers(tmp_path)[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(set(_sleepers(tmp_path)) - {victim}) == 2, "it runs again", 30)
    finally:
        supervisor.stop()
    assert site_processes(tmp_path) == {}


def test_nothing_is_left_when_the_starting_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from worklist import settings\n"
        "from worklist.demo.supervise import Program, Supervisor\n"
        "folder = Path(sys.argv[1])\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "Supervisor(folder / 'run', [Program('one', 1, sleep)],\n"
        "           settings.child_environment(data_folder=folder)).start()\n"
        "time.sleep(600)\n"
    )
    starter = python("-c", code, str(tmp_path))
    wait_until(lambda: len(_sleepers(tmp_path)) == 1, "the program runs", 30)
    starter.kill()
    starter.communicate()
    wait_until(lambda: site_processes(tmp_path) == {}, "no process is left", 30)
