"""A weights file is the registered one, or it is not read."""

import numpy as np
import pytest

from workers.weights import read_registered, read_weights, sha256_of
from worklist.errors import Invalid, Unavailable


@pytest.fixture
def path(tmp_path):
    np.savez(tmp_path / "weights.npz", kernel=np.ones((1, 1, 2, 3), np.float16), bias=np.zeros(3, np.float32))
    return tmp_path / "weights.npz"


def test_arrays_come_back_as_they_were_stored(path):
    arrays, sha256 = read_registered(path, sha256_of(path).upper())
    assert {name: (array.shape, array.dtype.name) for name, array in arrays.items()} == {
        "kernel": ((1, 1, 2, 3), "float16"),
        "bias": ((3,), "float32"),
    }
    assert sha256 == sha256_of(path)


def test_another_hash_is_refused(path):
    with pytest.raises(Invalid, match=r"weights\.npz have the hash [0-9a-f]{64}, registered is 0000"):
        read_registered(path, "0" * 64)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(Unavailable, match="cannot be read: No such file"):
        read_weights(tmp_path / "nothing.npz")


@pytest.mark.parametrize("kept", [0, 10, 300])
def test_a_damaged_file_is_refused(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(Invalid, match="is not a weights file"):
        read_weights(path)


def test_a_single_array_is_refused(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(Invalid, match="is not a weights file"):
        read_weights(path)
