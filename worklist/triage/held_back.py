"""Images that are kept apart until an administrator has decided: what a reader of the study must know."""

from sqlalchemy import ScalarSelect, func, select

from worklist.tables import Quarantined, QuarantineKind, Study
from worklist.tables.quarantine import IS_OPEN


def held_back_count() -> ScalarSelect[int]:
    """Return the number of images that say they are of a study and are held back, as a column of `Study`."""
    return (
        select(func.count())
        .select_from(Quarantined)
        .where(IS_OPEN, Quarantined.study_instance_uid == Study.study_instance_uid)
        .correlate(Study)
        .scalar_subquery()
    )


def doubted_count() -> ScalarSelect[int]:
    """Return the number of images of a study that were sent for another study too, as a column of `Study`."""
    return (
        select(func.count())
        .select_from(Quarantined)
        .where(IS_OPEN, Quarantined.study_id == Study.id, Quarantined.kind == QuarantineKind.OTHER_STUDY)
        .correlate(Study)
        .scalar_subquery()
    )


def warning_with(held_back: int, doubted: int, warning: str) -> str:
    """Return what a reader is warned of: what is held back, then what the study itself says."""
    sentences = []
    if held_back == 1:
        sentences.append("1 image is held back until an administrator has decided where it belongs.")
    elif held_back:
        sentences.append(f"{held_back} images are held back until an administrator has decided on them.")
    if doubted:
        sentences.append("An image of this study was sent for another study too: an administrator decides.")
    return " ".join([*sentences, warning]).strip()
