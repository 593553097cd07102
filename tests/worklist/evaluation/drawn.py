"""Drawn populations: images of studies with a label and a logit, as a snapshot and a trainer give them."""

from pathlib import Path

import numpy as np

from worklist.dataset.snapshot import Role, SnapshotImage
from worklist.tables import BodyPart

PARTS = (BodyPart.WRIST, BodyPart.HAND, BodyPart.ELBOW)


def population(studies=600, *, seed=3, skill=2.0, slope=1.0, intercept=0.0, views=2, parts=PARTS, name="study"):
    """Draw studies and logits whose true calibration is the given line.

    Parameters
    ----------
    skill
        Distance of the labels in units of the logit's deviation.
    """
    random = np.random.default_rng(seed)
    images, logits = [], {}
    for number in range(studies):
        is_abnormal = bool(random.random() < 0.5)
        for view in range(views):
            view_name = f"{name}-{number}/{view}"
            images.append(
                SnapshotImage(
                    path=Path(view_name),
                    name=view_name,
                    body_part=parts[number % len(parts)],
                    patient=f"{name}-patient-{number // 2}",
                    study=f"{name}-{number}",
                    is_abnormal=is_abnormal,
                    role=Role.TUNE if number // 2 % 2 else Role.TEST,
                )
            )
            # Two normal distributions of deviation d and distance d² have the logit d * z as their true one.
            true = skill * (random.normal() + (skill / 2 if is_abnormal else -skill / 2))
            logits[view_name] = float((true - intercept) / slope)
    return images, logits


def of_role(images, role):
    return [image for image in images if image.role is role]
