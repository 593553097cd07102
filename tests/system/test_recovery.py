"""Workers die, the broker forgets or goes away: every received image is analysed in the end, exactly once."""

import signal
import time
from pathlib import Path

import pytest

from tests.system.stack import (
    Stack,
    analyses_done,
    running_analyses,
    studies,
    unscored,
    wait_until,
    waiting_images,
)

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.timeout(400)]


def _all_analysed_once(images: int) -> None:
    wait_until(lambda: len(analyses_done()) >= images, f"{images} images are analysed", 150)
    assert waiting_images() == 0
    assert len(analyses_done()) == len(set(analyses_done())) == images
    assert unscored() == []


def test_studies_sent_by_storescu_take_their_ranks(stack: Stack, study_files: list[list[Path]]) -> None:
    for paths in study_files[:2]:
        sent = stack.send(*paths)
        assert sent.returncode == 0, sent.stderr
    _all_analysed_once(sum(map(len, study_files[:2])))
    ranked = studies()
    assert [study.rank_key for study in ranked] == sorted(study.rank_key for study in ranked)
    assert all(study.is_demo_score and study.study_probability is not None for study in ranked)


def test_worker_killed_in_the_middle_loses_nothing(stack: Stack, study_files: list[list[Path]]) -> None:
    for paths in study_files[2:4]:
        assert stack.send(*paths).returncode == 0
    wait_until(lambda: running_analyses() > 0, "the worker has an image in hand", 60)
    assert stack.kill("workers", "inference")
    _all_analysed_once(sum(map(len, study_files[:4])))


def test_broker_that_forgets_everything_loses_nothing(stack: Stack, study_files: list[list[Path]]) -> None:
    # The worker that takes the place of a killed one needs seconds to load: the jobs are still in line.
    assert stack.kill("workers", "inference")
    for paths in study_files[4:6]:
        assert stack.send(*paths).returncode == 0
    assert waiting_images() > 0
    stack.broker().flushall()
    _all_analysed_once(sum(map(len, study_files[:6])))


def test_broker_away_for_a_while_delays_but_loses_nothing(stack: Stack, study_files: list[list[Path]]) -> None:
    stack.kill("broker.conf", with_signal=signal.SIGSTOP)
    started = time.monotonic()
    for paths in study_files[6:8]:
        assert stack.send(*paths).returncode == 0
    assert time.monotonic() - started < 10, "a modality waited for the broker"
    time.sleep(10)
    stack.kill("broker.conf", with_signal=signal.SIGKILL)
    _all_analysed_once(sum(map(len, study_files)))
