"""One running site for all tests of this folder, and files to send to it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.system.stack import Stack
from worklist import database, settings
from worklist.synthetic.dataset import make_study

PARTS = ("WRIST", "HAND", "ELBOW", "SHOULDER")


@pytest.fixture(scope="module")
def environment() -> Iterator[None]:
    """Whoever starts a site points this process to it; take that back."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    database.forget_engine()
    settings.current.cache_clear()


@pytest.fixture(scope="module")
def stack(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Real broker, receiver, workers and scheduler with the demo classifier, on free ports."""
    for name in ("RECEIVER", "WEB", "FLOWER"):
        os.environ[f"WORKLIST_{name}_PORT"] = str(free_port())
    os.environ["WORKLIST_SWEEP_SECONDS"] = "2"
    os.environ["WORKLIST_ANALYSIS_LEASE_SECONDS"] = "6"
    os.environ["WORKLIST_QUIET_SECONDS"] = "5"
    os.environ["WORKLIST_MINIMUM_FREE_BYTES"] = "0"
    site = Stack(
        tmp_path_factory.mktemp("site"), ("broker", "receiver", "inference", "background", "scheduler")
    )
    site.start()
    yield site
    site.stop()


@pytest.fixture(scope="session")
def study_files(tmp_path_factory: pytest.TempPathFactory) -> list[list[Path]]:
    """Eight small studies as files, two for each of four body parts."""
    folder = tmp_path_factory.mktemp("studies")
    studies = []
    for number in range(8):
        paths = []
        datasets = make_study(PARTS[number % 4], seed=500 + number, lesion="break" if number % 2 else None)
        for index, dataset in enumerate(datasets):
            path = folder / f"{number}-{index}.dcm"
            dataset.save_as(path, enforce_file_format=True)
            paths.append(path)
        studies.append(paths)
    return studies
