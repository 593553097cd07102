"""Figures over studies: views averaged, kappa by hand."""

from pathlib import Path

import numpy as np
import pytest

from workers.training.measure import StudyFigures, study_figures
from worklist.dataset.snapshot import Role, SnapshotImage
from worklist.tables import BodyPart


def view(study, is_abnormal, body_part=BodyPart.HAND):
    return SnapshotImage(Path("/x.png"), "x", body_part, "p", study, is_abnormal, Role.TUNE)


def test_views_of_a_study_are_averaged_as_probabilities():
    images = [view("a", True), view("a", True), view("b", False), view("c", False)]
    # Study a: probabilities 0.9 and 0.2; the mean of its logits would be below 0.5 as well as above.
    logits = np.log([0.9 / 0.1, 0.2 / 0.8, 0.1 / 0.9, 0.4 / 0.6])
    assert study_figures(images, logits) == StudyFigures(1.0, 1.0)


def test_kappa_of_a_worked_example():
    images = [view(str(number), number < 4) for number in range(10)]
    logits = np.array([1, 1, 1, -1, -1, -1, -1, -1, -1, 1.0])
    # Agreed 8 of 10; by chance 0.4 * 0.4 + 0.6 * 0.6 = 0.52.
    assert study_figures(images, logits).kappa == pytest.approx((0.8 - 0.52) / 0.48)


def test_two_body_parts_in_one_study_are_two():
    images = [view("a", True), view("a", False, BodyPart.WRIST), view("b", False), view("c", True)]
    assert study_figures(images, np.array([2, -2, -2, 2.0])).kappa == 1


def test_equal_kappas_are_decided_by_auc():
    assert StudyFigures(0.6, 0.9) > StudyFigures(0.6, 0.8)
    assert StudyFigures(0.7, 0.5) > StudyFigures(0.6, 0.9)
