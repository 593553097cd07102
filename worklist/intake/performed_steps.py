"""What modalities say of their own work: begun, ended, and which images it gave.

References
----------
PS3.4 F.7.2 (a step that has ended is not changed any more).
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from worklist import clock
from worklist.dicom.performed_step import MissingAttribute, Step
from worklist.errors import Conflict, Invalid, NotFound
from worklist.intake.insertion import insert_unless_there
from worklist.tables import Instance, PerformedStep, Series, Source, StepState, Study


class Known(Conflict):
    """There is such a step already."""


class Ended(Conflict):
    """The step has ended and may not be changed any more."""


def begin(session: Session, source: Source, sop_instance_uid: str, step: Step) -> None:
    """Note that a modality has begun.

    Raises
    ------
    Known
        If it has said so before.
    Invalid
        If the state is not IN PROGRESS, or the study is not said.
    """
    if not step.state or not step.study_instance_uid:
        raise MissingAttribute("A performed procedure step needs a status and a Study Instance UID.")
    if step.state != StepState.IN_PROGRESS:
        raise Invalid(f"A performed procedure step begins IN PROGRESS, not {step.state[:16]}.")
    new_id = insert_unless_there(
        session,
        PerformedStep,
        {
            "source_id": source.id,
            "sop_instance_uid": sop_instance_uid,
            "study_instance_uid": step.study_instance_uid,
            "state": StepState.IN_PROGRESS,
            "image_uids": list(step.image_uids or ()),
            "begun_at": clock.now(),
        },
    )
    if new_id is None:
        raise Known(f"There is a performed procedure step {sop_instance_uid} already.")


def change(session: Session, source: Source, sop_instance_uid: str, step: Step) -> None:
    """Note what a modality has made, and that it has ended.

    Raises
    ------
    NotFound
        If this source has not begun it.
    Ended
        If it has ended before.
    Invalid
        If the state is none.
    """
    row = session.scalars(
        select(PerformedStep)
        .where(PerformedStep.sop_instance_uid == sop_instance_uid, PerformedStep.source_id == source.id)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no performed procedure step {sop_instance_uid}.")
    if row.state is not StepState.IN_PROGRESS:
        raise Ended(f"The performed procedure step {sop_instance_uid} has ended.")
    if step.state and step.state not in set(StepState):
        raise Invalid(f"{step.state[:16]} is no status of a performed procedure step.")
    if step.image_uids is not None:
        row.image_uids = list(step.image_uids)
    if step.state and step.state != StepState.IN_PROGRESS:
        row.state, row.ended_at = StepState(step.state), clock.now()


def finished_studies(session: Session) -> dict[int, int]:
    """Return incomplete studies whose steps have all ended and whose images are all here, with their number.

    A step that lists no images says nothing about what is still to come, so it is no hint.
    """
    rows = session.execute(
        select(Study.id, PerformedStep.state, PerformedStep.image_uids)
        .join(PerformedStep, PerformedStep.study_instance_uid == Study.study_instance_uid)
        .where(~Study.is_complete)
    )
    listed: dict[int, set[str]] = {}
    at_work: set[int] = set()
    for study_id, state, image_uids in rows:
        if state is StepState.IN_PROGRESS:
            at_work.add(study_id)
        elif state is StepState.COMPLETED:
            listed.setdefault(study_id, set()).update(image_uids)
    return {
        study_id: len(image_uids)
        for study_id, image_uids in listed.items()
        if image_uids and study_id not in at_work and _all_here(session, study_id, image_uids)
    }


def _all_here(session: Session, study_id: int, image_uids: set[str]) -> bool:
    here = session.scalar(
        select(func.count(Instance.id))
        .join(Instance.series)
        .where(Series.study_id == study_id, Instance.is_current, Instance.sop_instance_uid.in_(image_uids))
    )
    return here == len(image_uids)
