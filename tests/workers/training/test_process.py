"""The trainer's process: followed, told to stop, killed when it does not, with a log of what it said."""

import sys
import time

import pytest

from workers.training import process
from workers.training.process import follow

UNTIL_INPUT_ENDS = "import sys; print('ready', flush=True); sys.stdin.read(); print('kept'); sys.exit(130)"
DEAF = "import time; print('ready', flush=True); time.sleep(60)"


def run(program, tmp_path, tell=lambda line: None, should_stop=lambda: False):
    return follow([sys.executable, "-c", program], tell=tell, should_stop=should_stop, log=tmp_path / "log")


def test_lines_come_as_they_are_said_and_errors_go_to_the_log(tmp_path):
    lines = []
    program = "import sys; print('one'); print('zwei ß'); print('warning', file=sys.stderr); sys.exit(3)"
    assert run(program, tmp_path, lines.append) == 3
    assert lines == ["one\n", "zwei ß\n"]
    assert (tmp_path / "log").read_text() == "warning\n"


def test_the_log_is_gone_on_with(tmp_path):
    for word in ("first", "second"):
        run(f"import sys; print({word!r}, file=sys.stderr)", tmp_path)
    assert (tmp_path / "log").read_text().split() == ["first", "second"]


def test_who_is_told_to_stop_may_keep_what_it_did(tmp_path):
    lines = []
    assert run(UNTIL_INPUT_ENDS, tmp_path, lines.append, should_stop=lambda: bool(lines)) == 130
    assert lines == ["ready\n", "kept\n"]


def test_who_does_not_stop_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "STOP_SECONDS", 0.2)
    lines = []
    started = time.monotonic()
    assert run(DEAF, tmp_path, lines.append, should_stop=lambda: bool(lines)) == -9
    assert time.monotonic() - started < 30


def test_no_process_is_left_when_a_line_cannot_be_taken(tmp_path):
    def fail(_line):
        raise ZeroDivisionError

    started = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        run(DEAF, tmp_path, fail)
    assert time.monotonic() - started < 30
