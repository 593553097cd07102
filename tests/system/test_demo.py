"""``worklist demo``, as a newcomer starts it: everything ranked, and nothing left after Ctrl-C."""

import os
import signal
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.system.stack import python, site_processes, wait_until

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.timeout(600)]


@pytest.fixture
def environment() -> dict[str, str]:
    ports = {f"WORKLIST_{name}_PORT": str(free_port()) for name in ("RECEIVER", "WEB", "FLOWER")}
    return {**os.environ, **ports, "WORKLIST_MINIMUM_FREE_BYTES": "0", "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def demo(tmp_path: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    process = python("-m", "worklist", "demo", "--data", str(tmp_path / "demo"), env=environment)
    yield process
    process.kill()
    process.communicate()
    wait_until(lambda: not site_processes(tmp_path / "demo"), "no process is left", 60)


def _read_until(process: "subprocess.Popen[str]", words: str) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError(f"the demo ended without saying {words!r}:\n{''.join(lines)}")


def test_demo_ranks_its_studies_and_ctrl_c_leaves_nothing(
    demo: "subprocess.Popen[str]", tmp_path: Path, environment: dict[str, str]
) -> None:
    said = _read_until(demo, "Ctrl-C stops everything")
    assert "rita (reader)" in said
    assert said.count("  sent ") >= 22
    page = f"http://127.0.0.1:{environment['WORKLIST_WEB_PORT']}/"
    with urllib.request.urlopen(page, timeout=10) as answer:
        assert "sign in" in answer.read().decode().lower()
    rows = sqlite3.connect(tmp_path / "demo" / "worklist.sqlite").execute(
        "SELECT body_part, result, is_demo_score, patient_id FROM study"
    )
    found = rows.fetchall()
    assert len({row[0] for row in found if row[1] == "scored"}) == 7
    assert sum(row[1] == "out_of_scope" for row in found) == 2
    assert all(row[2] for row in found if row[1] == "scored")
    demo.send_signal(signal.SIGINT)
    rest = demo.stdout.read() if demo.stdout else ""
    assert demo.wait(60) == 0
    assert "Everything has stopped" in rest
    assert site_processes(tmp_path / "demo") == {}


def test_taken_port_is_named_with_what_to_do(tmp_path: Path, environment: dict[str, str]) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["WORKLIST_WEB_PORT"])))
        taken.listen()
        process = python("-m", "worklist", "demo", "--data", str(tmp_path / "demo"), env=environment)
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert f"Port {environment['WORKLIST_WEB_PORT']} is taken by another program" in said
    assert "WORKLIST_WEB_PORT=" in said
