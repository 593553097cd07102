"""The data of a training run: images with labels from verdicts, from a folder, or both, split by patient."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from worklist import settings
from worklist.classifiers.labels import StudyLabel, digest, study_labels
from worklist.dataset.faults import Tell
from worklist.dataset.layouts import labelled_folder
from worklist.dataset.record import LabelledImage, Split
from worklist.dataset.snapshot import Role, SnapshotImage
from worklist.errors import Invalid
from worklist.intake import scope
from worklist.reading.turns import stands
from worklist.tables import Instance, Mark, MarkKind, Series, Verdict

# Shares of patients: three in twenty choose what was fitted, and three measure it.
FIT_SHARE = 0.70
TUNE_SHARE = 0.15
# Of a folder that brings a split of its own, as much of its training part chooses.
TUNE_SHARE_OF_TRAIN = 0.10
_STUDIES_AT_ONCE = 500
Rectangle = tuple[int, int, int, int]


def from_verdicts(session: Session) -> list[SnapshotImage]:
    """Return the analysable images of all studies that have a label, split by patient.

    A patient's role follows from the patient alone, so that whoever was left out of one training is left out of
    all, and versions can be compared on the same patients.
    """
    labels = {label.study_id: label for label in study_labels(session) if label.is_abnormal is not None}
    crops = _drawn_crops(session)
    return [
        _of_verdict(labels[study_id], instance_id, path, crops.get(instance_id))
        for study_id, instance_id, path in _images(session, list(labels))
    ]


def from_folder(folder: Path, tell: Tell, *, table: Path | None = None) -> list[SnapshotImage]:
    """Return the images of a folder of labelled radiographs (``docs/datasets.md``).

    Its training part is fitted to, but for a tenth of its patients that choose; the rest measures. A folder
    without a split is split as verdicts are.

    Raises
    ------
    Invalid
        If it has none of the layouts.
    """
    found = labelled_folder(folder, scope.judge, table=table)
    return [_of_folder(image) for image in found.images(tell)]


def joined(*sources: Iterable[SnapshotImage]) -> list[SnapshotImage]:
    """Return the images of several sources; a patient of several roles has that which teaches the least.

    Raises
    ------
    Invalid
        If there is nothing to fit to, to choose with or to measure on.
    """
    images = [image for source in sources for image in source]
    order = (Role.TEST, Role.TUNE, Role.FIT)
    roles: dict[str, Role] = {}
    for image in images:
        roles[image.patient] = min(image.role, roles.get(image.patient, image.role), key=order.index)
    images = [replace(image, role=roles[image.patient]) for image in images]
    _check(images)
    return images


def counts(images: Iterable[SnapshotImage]) -> dict[str, Any]:
    """Count studies by role, body part and label, as JSON values."""
    studies = {(image.study, image.body_part): image for image in images}
    tally = Counter(
        (image.role.value, image.body_part.value, "abnormal" if image.is_abnormal else "normal")
        for image in studies.values()
    )
    table: dict[str, Any] = {}
    for (role, part, label), number in sorted(tally.items()):
        table.setdefault(role, {}).setdefault(part, {})[label] = number
    return table


def role_of(patient: str, *, fit: float = FIT_SHARE, tune: float = TUNE_SHARE) -> Role:
    """Return the role of a patient: drawn by the patient's digest, so the same in every snapshot.

    Parameters
    ----------
    fit, tune
        Shares, 0 to 1; the rest measures.
    """
    drawn = int.from_bytes(hashlib.sha256(f"role {patient}".encode()).digest()[:8]) / 2**64
    if drawn < fit:
        return Role.FIT
    return Role.TUNE if drawn < fit + tune else Role.TEST


def _images(session: Session, study_ids: list[int]) -> Iterator[tuple[int, int, str]]:
    for at in range(0, len(study_ids), _STUDIES_AT_ONCE):
        rows = session.execute(
            select(Series.study_id, Instance.id, Instance.file_path)
            .join(Series.instances)
            .where(
                Series.study_id.in_(study_ids[at : at + _STUDIES_AT_ONCE]),
                Instance.is_current,
                Instance.no_analysis_reason == "",
            )
            .order_by(Instance.id)
        )
        yield from ((row.study_id, row.id, row.file_path) for row in rows)


def _drawn_crops(session: Session) -> dict[int, Rectangle]:
    """Return by instance the crop that a reader drew; of several verdicts that stand, the newest's."""
    rows = session.execute(
        select(Mark.instance_id, Mark.top, Mark.left, Mark.height, Mark.width)
        .join(Verdict, Verdict.id == Mark.verdict_id)
        .where(Mark.kind == MarkKind.CROP, stands())
        .order_by(Mark.verdict_id, Mark.id)
    )
    return {row.instance_id: (row.top, row.left, row.height, row.width) for row in rows}


def _of_verdict(label: StudyLabel, instance_id: int, path: str, crop: Rectangle | None) -> SnapshotImage:
    return SnapshotImage(
        path=settings.current().archive_folder.resolve() / path,
        name=f"verdicts/study-{label.study_id}/image-{instance_id}",
        body_part=label.body_part,
        patient=label.patient,
        study=label.study,
        is_abnormal=bool(label.is_abnormal),
        role=role_of(label.patient),
        crop=crop,
    )


def _of_folder(image: LabelledImage) -> SnapshotImage:
    return SnapshotImage(
        path=image.path.resolve(),
        name=f"folder/{image.name}",
        body_part=image.body_part,
        patient=image.patient,
        study=digest(image.study),
        is_abnormal=image.is_abnormal,
        role=_role_in_folder(image),
    )


def _role_in_folder(image: LabelledImage) -> Role:
    if image.split is Split.UNSPLIT:
        return role_of(image.patient)
    if image.split is Split.TRAIN:
        return role_of(image.patient, fit=1 - TUNE_SHARE_OF_TRAIN, tune=TUNE_SHARE_OF_TRAIN)
    return Role.TEST


def _check(images: Iterable[SnapshotImage]) -> None:
    present = {(image.role, image.is_abnormal) for image in images}
    for role, purpose in ((Role.FIT, "learn from"), (Role.TUNE, "choose with"), (Role.TEST, "measure on")):
        for is_abnormal, word in ((True, "abnormal"), (False, "normal")):
            if (role, is_abnormal) not in present:
                raise Invalid(
                    f"There is no {word} study to {purpose}: of the patients, {FIT_SHARE:.0%} are learnt from, "
                    f"{TUNE_SHARE:.0%} choose and the rest measure. It takes more verdicts, or a folder of "
                    "labelled radiographs."
                )
