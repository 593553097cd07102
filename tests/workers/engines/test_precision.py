"""bfloat16 is used only where its loss was measured and is within the bound."""

import numpy as np
import pytest

from workers.engines.precision import Bound, Compared, Loss, Precision, allowed, measure, store
from worklist.errors import Invalid
from worklist.tables import Attention, BodyPart, Calibration, ClassifierVersion, OperatingPoint
from worklist.triage.prediction import Prediction

SHA256 = "ab" * 32
RISING = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def version():
    """A version that flags wrists from a probability of 0.6, with a logit counted double."""
    return ClassifierVersion(
        calibrations=[Calibration(body_part=BodyPart.WRIST, slope=2.0, intercept=0.0)],
        operating_points=[
            OperatingPoint(body_part=BodyPart.WRIST, attention=Attention.FLAGGED, threshold=0.6),
            OperatingPoint(body_part=BodyPart.HAND, attention=Attention.FLAGGED, threshold=0.1),
        ],
    )


def judged(logit, heat_map=RISING):
    return Prediction(logit=logit, heat_map=heat_map)


def compared(exact, fast, *, study=1, part=BodyPart.WRIST):
    return Compared(study, part, exact, fast)


def loss(**values):
    least = Loss(
        images=200,
        studies=80,
        largest_change=0.002,
        mean_change=0.001,
        changed_studies=0,
        lowest_correlation=0.99,
        median_correlation=1.0,
    )
    return Loss(**{**least.__dict__, **values})


def test_the_change_of_calibrated_probabilities_is_measured(version):
    found = measure(
        [
            compared(judged(0.0), judged(0.0)),
            compared(judged(0.0), judged(0.1)),
            compared(judged(0.0), judged(0.1), part=BodyPart.HAND),
        ],
        version,
    )
    wrist, hand = (1 / (1 + np.exp(-value)) - 0.5 for value in (0.2, 0.1))
    assert found.images == 3
    assert found.largest_change == pytest.approx(wrist)
    assert found.mean_change == pytest.approx((wrist + hand) / 3)


def test_a_study_that_reaches_another_operating_point_counts_once(version):
    below, above = judged(0.1), judged(0.3)  # 0.55 and 0.65 calibrated
    found = measure(
        [
            compared(below, above, study=1),
            compared(below, above, study=1),
            compared(below, above, study=2),
            compared(below, judged(-2.0), study=2),
            compared(below, above, study=3, part=BodyPart.HAND),
        ],
        version,
    )
    assert (found.studies, found.changed_studies) == (3, 1)


def test_heat_maps_are_compared_by_correlation(version):
    flipped = RISING[::-1, ::-1].copy()
    found = measure(
        [compared(judged(1.0), judged(1.0, RISING**2)), compared(judged(1.0), judged(1.0, flipped))], version
    )
    assert found.lowest_correlation == pytest.approx(-1)
    assert found.median_correlation == pytest.approx(
        (np.corrcoef(RISING.ravel(), RISING.ravel() ** 2)[0, 1] - 1) / 2
    )


@pytest.mark.parametrize(
    ("exact", "fast", "expected"),
    [
        (None, None, 1.0),
        (RISING, None, 0.0),
        (np.ones((2, 2)), np.ones((2, 2)), 1.0),
        (RISING, np.ones((3, 4)), 0.0),
    ],
)
def test_a_map_that_is_missing_or_flat_agrees_only_with_its_like(version, exact, fast, expected):
    assert measure([compared(judged(1.0, exact), judged(1.0, fast))], version).lowest_correlation == expected


def test_without_images_there_is_nothing_to_measure(version):
    with pytest.raises(Invalid, match="no stored image"):
        measure([], version)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"largest_change": 0.0101}, "it changes a probability by 0.0101, allowed is 0.01"),
        ({"largest_change": float("nan")}, "it changes a probability by nan"),
        ({"changed_studies": 1}, "it changes the operating point of 1 of 80 studies, allowed is 0"),
        ({"images": 99}, "it was measured on 99 images, and fewer than 100 say little"),
    ],
)
def test_a_loss_over_the_bound_is_refused_with_its_figure(site, caplog, values, reason):
    store(SHA256, Precision.BFLOAT16, loss(**values), Bound())
    assert allowed(SHA256, Precision.BFLOAT16) is Precision.FLOAT32
    assert reason in caplog.text


def test_a_loss_within_the_bound_is_allowed_for_these_weights_alone(site):
    store(SHA256, Precision.BFLOAT16, loss(), Bound())
    assert allowed(SHA256, Precision.BFLOAT16) is Precision.BFLOAT16
    assert allowed("cd" * 32, Precision.BFLOAT16) is Precision.FLOAT32


def test_an_administrator_may_set_another_bound(site):
    store(SHA256, Precision.BFLOAT16, loss(largest_change=0.03, changed_studies=2), Bound(0.03, 2))
    assert allowed(SHA256, Precision.BFLOAT16) is Precision.BFLOAT16


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"loss": {}, "bound": {}}'])
def test_a_damaged_measurement_allows_nothing(site, caplog, text):
    store(SHA256, Precision.BFLOAT16, loss(), Bound()).write_text(text)
    assert allowed(SHA256, Precision.BFLOAT16) is Precision.FLOAT32
    assert "what was measured cannot be read" in caplog.text


def test_float32_needs_no_measurement(site, caplog):
    assert allowed(SHA256, Precision.FLOAT32) is Precision.FLOAT32
    assert caplog.text == ""
