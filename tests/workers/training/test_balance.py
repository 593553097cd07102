"""Class weights of a case that can be counted on fingers."""

from pathlib import Path

import numpy as np
import pytest

from workers.training.balance import class_weights, weights_of
from worklist.dataset.snapshot import Role, SnapshotImage
from worklist.tables import BodyPart


def some(body_part, is_abnormal, count):
    image = SnapshotImage(Path("/x.png"), "x", body_part, "p", "s", is_abnormal, Role.FIT)
    return [image] * count


IMAGES = [
    *some(BodyPart.HAND, False, 6),
    *some(BodyPart.HAND, True, 2),
    *some(BodyPart.WRIST, False, 3),
    *some(BodyPart.WRIST, True, 3),
]


def test_rare_label_of_a_body_part_weighs_more():
    assert class_weights(IMAGES) == {
        (BodyPart.HAND, False): 0.25,
        (BodyPart.HAND, True): 0.75,
        (BodyPart.WRIST, False): 0.5,
        (BodyPart.WRIST, True): 0.5,
    }


def test_both_labels_of_a_body_part_weigh_the_same_together():
    weights = weights_of(IMAGES, is_balanced=True)
    assert weights[:6].sum() == pytest.approx(weights[6:8].sum())


def test_body_part_with_one_label_weighs_nothing():
    assert weights_of([*IMAGES, *some(BodyPart.ELBOW, True, 2)], is_balanced=True)[-1] == 0


def test_without_balance_all_weigh_the_same():
    assert np.unique(weights_of(IMAGES, is_balanced=False)).tolist() == [0.5]
