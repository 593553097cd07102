"""The demo classifier's own steps, with a tiny network in place of DenseNet201."""

import json

import numpy as np
import pytest

from tests.workers.training.demo.tiny import RECIPE, tiny_network, tiny_snapshot
from workers.training.demo.card import calibrate, fold, logits_of, write_card
from workers.training.demo.evaluate import Calibration
from workers.training.demo.figures import Judged, by_kind, figures, judge
from workers.training.demo.fit import Fit
from workers.training.demo.images import CALIBRATION_SEEDS, TEST_SEEDS, TRAINING_SEEDS, draw_pair, items


class BrightestCell:
    """A network that takes the brightest cell for abnormal."""

    input_size_px = 224

    def predict(self, batch):
        cells = batch.reshape(len(batch), 7, 32, 7, 32).max((2, 4))
        return cells.mean((1, 2)), cells


def test_no_patient_is_in_two_sets():
    sets = [set(seeds) for seeds in (TRAINING_SEEDS, CALIBRATION_SEEDS, TEST_SEEDS)]
    assert len(set.union(*sets)) == sum(len(seeds) for seeds in sets)
    assert len(TEST_SEEDS) >= 350


def test_patient_is_drawn_once_normal_and_once_with_a_lesion():
    normal, abnormal = draw_pair(300_003)
    assert normal.lesion is None
    assert abnormal.lesion is not None
    assert (normal.body_part, normal.view_position) == (abnormal.body_part, abnormal.view_position)


def test_items_say_where_the_lesion_is():
    normal, abnormal = items(300_004)
    assert (normal.is_abnormal, normal.lesion_box) == (False, None)
    assert abnormal.is_abnormal
    assert abnormal.lesion_box is not None
    assert normal.group == abnormal.group


def test_every_image_is_judged_through_the_pipeline():
    judged = judge(range(300_000, 300_003), BrightestCell())
    assert [item.is_abnormal for item in judged] == [False, True] * 3
    assert not any(item.is_hit for item in judged if not item.is_abnormal)


def test_figures_count_hits_among_flagged_abnormal_images_only():
    judged = [
        Judged("HAND", "", 0.1, is_hit=False),
        Judged("HAND", "break", 2.0, is_hit=True),
        Judged("WRIST", "break", 1.0, is_hit=False),
        Judged("WRIST", "implant", -1.0, is_hit=False),
    ]
    found = figures(judged, np.array([0.1, 0.9, 0.8, 0.3]), [0.5] * 4)
    assert (found.images, found.hit_share, found.specificity) == (4, 0.5, 1)
    assert found.sensitivity == pytest.approx(2 / 3)
    assert by_kind(judged, "WRIST").tolist() == [2, 3]
    assert len(by_kind(judged, "")) == 4


def test_calibration_is_folded_into_the_network():
    network, images = tiny_network(), tiny_snapshot(4)
    before = logits_of(network, images, 64)
    fold(network, Calibration(2.0, 0.5))
    assert np.allclose(logits_of(network, images, 64), 2 * before + 0.5, atol=1e-4)


def test_card_says_what_registration_needs(tmp_path):
    network, images = tiny_network(), tiny_snapshot()
    Fit(network, RECIPE, tmp_path / "checkpoints").run(images)
    found = calibrate(network, images, 64)
    write_card(tmp_path / "card.json", (RECIPE,), found, sha256="a" * 64)
    card = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    assert card["is_demo"] is True
    assert "not validated" in card["statement"]
    assert card["input_size_px"] == 64
    assert card["calibration"]["HAND"]["slope"] > 0
    points = card["operating_points"]["HAND"]
    assert 0 < points["look_closer"]["threshold"] < points["flagged"]["threshold"] < 1
    assert points["flagged"]["sensitivity_low"] < points["flagged"]["sensitivity"]
