"""Studies with real image files behind them, for pages that are looked at."""

from typing import Any

import numpy as np
from pydicom import Dataset
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.factories import make_analysis, make_study
from worklist import settings
from worklist.synthetic.dataset import make_study as draw_study
from worklist.tables import BodyPart, ClassifierVersion, Instance, Series, Study

Size = tuple[int, int]


def add_study(
    session: Session,
    version: ClassifierVersion | None,
    *,
    seed: int,
    body_part: BodyPart = BodyPart.WRIST,
    views: tuple[str, ...] | None = ("PA",),
    size: Size = (250, 200),
    **values: Any,
) -> Study:
    """Add a study whose images are drawn; with a probability and a version they are analysed."""
    datasets = draw_study(body_part.value, seed=seed, views=views, size=size)
    study = make_study(session, images=0, body_part=body_part, **{**described(datasets), **values})
    series = _series(session, study)
    for number, dataset in enumerate(datasets, start=1):
        file_path = f"2026/03/02/{study.id}-{number}.dcm"
        target = settings.current().archive_folder / file_path
        target.parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(target, enforce_file_format=True)
        instance = Instance(
            series_id=series,
            sop_instance_uid=str(dataset.SOPInstanceUID) + f".{study.id}",
            sop_class_uid=str(dataset.SOPClassUID),
            transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
            file_path=file_path,
            file_bytes=target.stat().st_size,
            sha256="0" * 64,
            received_at=study.received_at,
            instance_number=number,
            rows=dataset.Rows,
            columns=dataset.Columns,
            view_position=dataset.get("ViewPosition", ""),
            laterality=dataset.get("ImageLaterality", ""),
        )
        session.add(instance)
        session.flush()
        if version is not None and study.study_probability is not None:
            analyse(session, instance, version, study.study_probability)
    return study


def described(datasets: list[Dataset]) -> dict[str, Any]:
    """What the columns of a study say of its drawn images."""
    return {"content_version": len(datasets), "description": datasets[0].StudyDescription}


def analyse(session: Session, instance: Instance, version: ClassifierVersion, probability: float) -> None:
    """Give an image a result with a heat map that points at one place inside its crop."""
    rows, columns = instance.rows or 0, instance.columns or 0
    y, x = np.mgrid[0:7, 0:7]
    heat_map = np.exp(-((y - 3) ** 2 + (x - 4) ** 2) / 3).astype("<f2")
    heat_map[heat_map < 0.05] = 0
    make_analysis(
        session,
        instance,
        version,
        probability=probability,
        crop_top=rows // 10,
        crop_left=columns // 8,
        crop_height=rows * 8 // 10,
        crop_width=columns * 3 // 4,
        explained_class="abnormal" if probability >= 0.5 else "normal",
        heat_map=heat_map.tobytes(),
    )


def _series(session: Session, study: Study) -> int:
    return session.scalars(select(Series.id).where(Series.study_id == study.id)).one()
