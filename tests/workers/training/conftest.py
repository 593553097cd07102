"""One small snapshot on disk and its squares, for all tests of a session."""

import pytest

from tests.workers.training.tiny import SIZE_PX, tiny_images
from workers.training.events import Watch
from workers.training.images import prepare_squares


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="session")
def images(folder):
    return tiny_images(folder / "images")


@pytest.fixture(scope="session")
def cache(folder):
    return folder / "cache"


@pytest.fixture(scope="session")
def squares(images, cache):
    return prepare_squares(images, SIZE_PX, cache, Watch())
