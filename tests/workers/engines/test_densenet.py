"""Only the arrays of a DenseNet with our head become a graph."""

import numpy as np
import pytest

from tests.workers.engines.shallow import write_weights
from workers.engines.densenet import build
from workers.weights import read_weights
from worklist.errors import Invalid


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return read_weights(write_weights(tmp_path_factory.mktemp("weights"), (1, 1, 1, 1))[0])


def test_the_outputs_have_the_shapes_of_any_batch(stored):
    graph = build(stored, input_size_px=64)
    shapes = {output.any_name: output.get_partial_shape().to_string() for output in graph.outputs}
    channels = stored["head/kernel"].shape[2]
    assert shapes == {"logit": "[?]", "evidence": "[?,2,2]", "features": f"[?,{channels}]"}


def test_the_arrays_stay_as_they_are(stored):
    before = {name: array.copy() for name, array in stored.items()}
    build(stored, input_size_px=64)
    assert before.keys() == stored.keys()
    assert all(np.array_equal(before[name], stored[name]) for name in before)


@pytest.mark.parametrize(
    "name", ["conv1_conv/kernel", "pool3_bn/gamma", "conv4_block1_2_conv/kernel", "logit/bias"]
)
def test_a_missing_array_is_named(stored, name):
    left = {key: array for key, array in stored.items() if key != name}
    with pytest.raises(Invalid, match=f"not the weights of a DenseNet: {name} is missing"):
        build(left, input_size_px=64)


def test_an_array_too_many_is_named(stored):
    with pytest.raises(Invalid, match="it has no conv6_conv/kernel"):
        build({**stored, "conv6_conv/kernel": np.zeros((1, 1, 2, 2), np.float16)}, input_size_px=64)


@pytest.mark.parametrize("name", ["conv1_bn/gamma", "conv3_block1_1_conv/kernel", "head/kernel"])
def test_an_array_of_another_shape_is_refused(stored, name):
    with pytest.raises(Invalid, match="their shapes do not fit together"):
        build(
            {**stored, name: stored[name][..., :-1, :] if "kernel" in name else stored[name][:-1]},
            input_size_px=64,
        )
