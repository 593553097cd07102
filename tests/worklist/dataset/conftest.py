"""A small drawn data set in MURA's layout: drawn once, copied for each test that changes it."""

import shutil
from pathlib import Path

import pytest

from tests.worklist.dataset.folders import Drawn
from worklist.dataset.synthesis import synthesize


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """28 patients in train and 14 in valid; not to be changed."""
    folder = tmp_path_factory.mktemp("drawn") / "MURA-v1.1"
    return Drawn(folder, synthesize(folder, patients=42, valid_share=1 / 3, longest_px=96, seed=3))


@pytest.fixture
def copy(drawn: Drawn, tmp_path: Path) -> Drawn:
    """The same, to be changed."""
    folder = tmp_path / "MURA-v1.1"
    shutil.copytree(drawn.folder, folder)
    return drawn.moved(folder)
