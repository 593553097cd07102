"""What the classifier made of one image: its part of the study page, and its heat map."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from worklist.errors import NotFound
from worklist.tables import (
    Analysis,
    AnalysisState,
    ClassifierState,
    ClassifierVersion,
    Instance,
    Series,
    Study,
)


@dataclass(frozen=True)
class Crop:
    """The part of an image that the classifier saw, half-open, in source pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class View:
    """One image of the study and what the classifier made of it.

    Attributes
    ----------
    probability : float or None
        Calibrated, 0 to 1; None with the reason in ``why_none``.
    crop_reason : str
        Why the crop fell back to a larger rectangle; empty if it did not.
    has_heat_map : bool
        False also where there is no evidence for the explained class.
    """

    instance_id: int
    label: str
    probability: float | None
    why_none: str
    crop: Crop | None
    crop_reason: str
    has_heat_map: bool
    explained_class: str


@dataclass(frozen=True)
class HeatMap:
    """The evidence over the crop of one image, or why there is none.

    Attributes
    ----------
    values : list of float or None
        0 to 1, row by row; None with the reason in ``reason``.
    """

    rows: int
    columns: int
    values: list[float] | None
    crop: Crop | None
    explained_class: str | None
    reason: str | None


def image_file(session: Session, instance_id: int) -> str:
    """Return where the file of an image lies, relative to the archive.

    Raises
    ------
    NotFound
        If there is no instance with this id.
    """
    path = session.scalar(select(Instance.file_path).where(Instance.id == instance_id))
    if path is None:
        raise NotFound("There is no such image.")
    return path


def heat_map(session: Session, instance_id: int) -> HeatMap:
    """Return the heat map that belongs to the result on the page.

    Raises
    ------
    NotFound
        If there is no instance with this id.
    """
    instance = session.get(Instance, instance_id)
    if instance is None:
        raise NotFound("There is no such image.")
    found = analyses(session, [instance_id], with_heat_map=True).get(instance_id)
    values = None
    if found is not None and found.heat_map is not None:
        values = [round(float(value), 4) for value in np.frombuffer(found.heat_map, "<f2")]
    return HeatMap(
        rows=(found.heat_map_rows or 0) if found else 0,
        columns=(found.heat_map_columns or 0) if found else 0,
        values=values,
        crop=_crop(found),
        explained_class=(found.explained_class or None) if found else None,
        reason=None if values else _why_no_heat_map(instance, found),
    )


def study_of(session: Session, instance_id: int) -> Study:
    """Return the study that an image belongs to."""
    return session.scalars(
        select(Study).join(Study.series).join(Series.instances).where(Instance.id == instance_id)
    ).one()


def analyses(
    session: Session, instance_ids: Sequence[int], *, with_heat_map: bool = False
) -> dict[int, Analysis]:
    """Return the analysis of each image that counts: of the classifier in charge, else the newest.

    One that is finished goes before one that is not, so that the result of a former classifier is shown until
    there is a new one. Versions that never were in charge show nothing.
    """
    query = (
        select(Analysis)
        .join(ClassifierVersion, ClassifierVersion.id == Analysis.classifier_version_id)
        .where(Analysis.instance_id.in_(instance_ids), ClassifierVersion.promoted_at.is_not(None))
        .order_by(
            Analysis.state != AnalysisState.RUNNING,
            ClassifierVersion.state == ClassifierState.CHAMPION,
            Analysis.id,
        )
    )
    # A page needs to know that there is a heat map, not its bytes.
    options = () if with_heat_map else (defer(Analysis.heat_map, raiseload=True),)
    return {found.instance_id: found for found in session.scalars(query.options(*options))}


def view(instance: Instance, found: Analysis | None, number: int) -> View:
    """Return what the study page shows of its image with this number."""
    names = [part for part in (instance.view_position, instance.laterality) if part]
    return View(
        instance_id=instance.id,
        label=" · ".join(names) or f"Image {number}",
        probability=found.probability if found else None,
        why_none="" if found and found.probability is not None else _why_no_result(instance, found),
        crop=_crop(found),
        crop_reason=found.crop_reason if found else "",
        has_heat_map=bool(found and found.heat_map_rows),
        explained_class=found.explained_class if found else "",
    )


def _crop(found: Analysis | None) -> Crop | None:
    if (
        found is None
        or found.crop_top is None
        or found.crop_left is None
        or found.crop_height is None
        or found.crop_width is None
    ):
        return None
    return Crop(found.crop_top, found.crop_left, found.crop_height, found.crop_width)


def _why_no_result(instance: Instance, found: Analysis | None) -> str:
    if found is not None and found.state is AnalysisState.RUNNING:
        return "Being analysed now."
    if found is not None and found.reason:
        return found.reason
    if instance.no_analysis_reason:
        return instance.no_analysis_reason
    return "Waits for its analysis." if instance.needs_analysis else "It was not analysed."


def _why_no_heat_map(instance: Instance, found: Analysis | None) -> str:
    if found is None or found.probability is None:
        return _why_no_result(instance, found)
    return f"No evidence for {found.explained_class or 'any class'} in this image."
