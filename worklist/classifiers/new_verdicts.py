"""What the readers have said since the last training: enough for another one?"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from worklist.classifiers.labels import StudyLabel, study_labels
from worklist.tables import BodyPart, TrainingRun, TrainingState


@dataclass(frozen=True)
class PartCount:
    """Labelled studies of one body part.

    Attributes
    ----------
    agreed, contradicted : int
        Of the new ones: the classifier flags what the readers call abnormal and nothing else, or not. Studies
        without a probability count for neither.
    undecided : int
        New ones whose readers are unsure, or on both sides.
    labelled : int
        All studies that a snapshot of today would hold, old and new.
    """

    body_part: BodyPart
    agreed: int
    contradicted: int
    undecided: int
    new_normal: int
    new_abnormal: int
    labelled: int

    @property
    def new(self) -> int:
        """New studies with a label."""
        return self.new_normal + self.new_abnormal


def last_trained(session: Session) -> datetime | None:
    """Return until when verdicts have been used: when the newest finished run with verdicts was asked for."""
    return session.scalar(
        select(func.max(TrainingRun.started_at)).where(
            TrainingRun.state == TrainingState.DONE, TrainingRun.data["verdicts"].as_boolean()
        )
    )


def count(session: Session) -> list[PartCount]:
    """Count the labelled studies of each body part, those since the last training apart."""
    since = last_trained(session)
    tallies: dict[BodyPart, Counter[str]] = {part: Counter() for part in BodyPart}
    for label in study_labels(session):
        is_new = since is None or label.given_at > since
        tallies[label.body_part].update(_kinds(label, is_new=is_new))
    return [
        PartCount(
            body_part=part,
            **{
                name: tally[name]
                for name in ("agreed", "contradicted", "undecided", "new_normal", "new_abnormal", "labelled")
            },
        )
        for part, tally in tallies.items()
    ]


def _kinds(label: StudyLabel, *, is_new: bool) -> list[str]:
    if label.is_abnormal is None:
        return ["undecided"] if is_new else []
    if not is_new:
        return ["labelled"]
    kinds = ["labelled", "new_abnormal" if label.is_abnormal else "new_normal"]
    if label.is_flagged is not None:
        kinds.append("agreed" if label.is_flagged == label.is_abnormal else "contradicted")
    return kinds
