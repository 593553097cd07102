"""The heat map: evidence for the predicted class, or none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from workers.gradcam import heat_map

EVIDENCE = np.array([[-4, -1, 0], [2, 8, 0], [0, 0, -2]], np.float32)


def test_abnormal_image_shows_what_speaks_for_abnormal():
    shown = heat_map(EVIDENCE, 1.5)
    assert shown is not None
    assert shown.tolist() == [[0, 0, 0], [0.25, 1, 0], [0, 0, 0]]


def test_normal_image_shows_what_speaks_for_normal():
    shown = heat_map(EVIDENCE, -1.5)
    assert shown is not None
    assert shown.tolist() == [[1, 0.25, 0], [0, 0, 0], [0, 0, 0.5]]


@pytest.mark.parametrize(
    ("evidence", "logit"), [(-1.0, 1.0), (1.0, -1.0), (0.0, 1.0), (1e-9, 1.0), (np.nan, 1.0)]
)
def test_no_evidence_gives_no_map_instead_of_rescaled_noise(evidence, logit):
    assert heat_map(np.full((7, 7), evidence, np.float32), logit) is None


def test_empty_evidence_gives_no_map():
    assert heat_map(np.zeros((0, 0), np.float32), 1.0) is None


@given(
    arrays(np.float32, array_shapes(min_dims=2, max_dims=2), elements=st.floats(-1e4, 1e4, width=32)),
    st.floats(-20, 20),
)
def test_map_is_between_nothing_and_one_and_peaks_at_the_strongest_evidence(evidence, logit):
    shown = heat_map(evidence, logit)
    if shown is None:
        return
    assert shown.shape == evidence.shape
    assert shown.min() >= 0
    assert shown.max() == 1
    strongest = evidence.argmax() if logit >= 0 else evidence.argmin()
    assert shown.flat[strongest] == 1


@given(st.floats(0.0625, 1024, width=32))
def test_scale_of_the_evidence_does_not_matter(scale):
    shown, scaled = heat_map(EVIDENCE, 1.0), heat_map(EVIDENCE * np.float32(scale), 1.0)
    assert shown is not None
    assert scaled is not None
    assert np.allclose(shown, scaled, atol=1e-6)
