"""One page of the ranked list with all that its rows show, the counts above it, the study to read next."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    Row,
    Select,
    func,
    literal,
    select,
)
from sqlalchemy.orm import Session

from worklist import clock
from worklist.errors import Invalid
from worklist.tables import (
    Attention,
    BodyPart,
    Claim,
    ClassifierState,
    ClassifierVersion,
    ClinicalPriority,
    Instance,
    OperatingPoint,
    ReadingState,
    Result,
    Series,
    Study,
    Turn,
    User,
)
from worklist.triage import list_query
from worklist.triage.held_back import doubted_count, held_back_count, warning_with
from worklist.triage.list_query import TURNS, Filters, Place, now_key
from worklist.triage.policy import current_policy
from worklist.triage.ranking import Policy, overtaking_bound, reason

COUNT_LIMIT = 1000


@dataclass(frozen=True)
class RankedRow:
    """One study as the list shows it."""

    study_id: int
    patient_name: str
    patient_id: str
    accession_number: str
    birth_date: str
    sex: str
    body_part: BodyPart | None
    description: str
    study_date: str
    image_count: int
    received_at: datetime
    due_at: datetime
    read_at: datetime | None
    study_probability: float | None
    attention: Attention
    threshold_flagged: float | None
    is_demo_score: bool
    is_complete: bool
    result: Result
    result_reason: str
    clinical_priority: ClinicalPriority
    reading_state: ReadingState
    turn: Turn
    claimed_by: str | None
    warning: str
    reason: str
    cannot_be_passed_after: datetime
    place: int


@dataclass(frozen=True)
class RankedPage:
    """Rows in order; ``after`` is the cursor of the next page, None at the end."""

    rows: tuple[RankedRow, ...]
    after: str | None


@dataclass(frozen=True)
class Counts:
    """How many studies wait, by kind; counting stops at `COUNT_LIMIT` + 1."""

    open: int
    flagged: int
    waiting_for_score: int
    without_classifier: int
    failed: int
    out_of_scope: int
    reading: int
    deferred: int
    late: int
    second: int
    arbitration: int


def ranked_page(
    session: Session,
    filters: Filters,
    *,
    after: str | None = None,
    limit: int = 50,
    policy: Policy | None = None,
) -> RankedPage:
    """Return one page of studies, the first to be read first; the policy is that in force.

    Raises
    ------
    Invalid
        If the cursor or the state is not one that this list gives.
    """
    place = _cursor(after) if after is not None else None
    found = list_query.study_ids(session, filters, after=place, limit=limit + 1)
    if not found:
        return RankedPage((), None)
    policy = policy or current_policy(session)
    order = filters.order
    shown = session.execute(_rows().where(Study.id.in_(found[:limit])).order_by(order, Study.id))
    rows = tuple(_ranked(row, policy, order) for row in shown)
    more = len(found) > limit
    return RankedPage(rows, f"{rows[-1].place}.{rows[-1].study_id}" if more else None)


def counts(session: Session) -> Counts:
    """Count the waiting studies by kind, in one statement."""
    is_open = Study.is_open
    row = session.execute(
        select(
            _capped(is_open),
            _capped(is_open, Study.attention == Attention.FLAGGED),
            _capped(is_open, Study.result == Result.WAITING),
            _capped(is_open, Study.result == Result.NO_CLASSIFIER),
            _capped(is_open, Study.result == Result.FAILED),
            _capped(is_open, Study.result == Result.OUT_OF_SCOPE),
            _capped(is_open, Study.reading_state == ReadingState.READING),
            _capped(is_open, Study.reading_state == ReadingState.DEFERRED),
            _capped(is_open, Study.due_key < now_key()),
            *(_capped(is_open, Study.turn != Turn.FIRST, Study.turn == turn) for turn in TURNS.values()),
        )
    ).one()
    return Counts(*row)


def next_study_id(
    session: Session,
    filters: Filters,
    *,
    after_study_id: int | None,
    only: ColumnElement[bool] | None = None,
) -> int | None:
    """Return the study to read next: one that waits and that nobody has open, and is one of ``only``.

    A reader who skipped a study goes on below it; one who finished it starts from the top again, since
    something more urgent may have arrived meanwhile.
    """
    conditions = [
        Study.reading_state.in_([ReadingState.UNREAD, ReadingState.DEFERRED]),
        ~_live_claim().exists(),
        *([] if only is None else [only]),
        *([] if after_study_id is None else [Study.id != after_study_id]),
    ]

    def first(after: Place | None = None) -> int | None:
        ids = list_query.study_ids(session, filters, after=after, limit=1, only=conditions)
        return ids[0] if ids else None

    skipped = None
    if after_study_id is not None:
        place = select(filters.order, Study.id).where(Study.id == after_study_id, Study.is_open)
        skipped = session.execute(place).first()
    below = first((skipped[0], skipped[1])) if skipped is not None else None
    return below if below is not None else first()


def _rows() -> "Select[Any]":
    image_count = (
        select(func.count())
        .select_from(Instance)
        .join(Instance.series)
        .where(Series.study_id == Study.id, Instance.is_current, Instance.rows.is_not(None))
        .correlate(Study)
        .scalar_subquery()
    )
    claimed_by = (
        _live_claim()
        .join(User, User.id == Claim.user_id)
        .with_only_columns(User.display_name)
        .scalar_subquery()
    )
    threshold = (
        select(OperatingPoint.threshold)
        .join(ClassifierVersion, ClassifierVersion.id == OperatingPoint.classifier_version_id)
        .where(
            ClassifierVersion.state == ClassifierState.CHAMPION,
            OperatingPoint.body_part == Study.body_part,
            OperatingPoint.attention == Attention.FLAGGED,
        )
        .correlate(Study)
        .scalar_subquery()
    )
    return select(
        Study,
        image_count.label("image_count"),
        claimed_by.label("claimed_by"),
        threshold.label("threshold_flagged"),
        held_back_count().label("held_back"),
        doubted_count().label("doubted"),
    )


def _live_claim() -> "Select[Any]":
    return (
        select(Claim.id)
        .where(Claim.study_id == Study.id, Claim.released_at.is_(None), Claim.expires_at >= clock.now())
        .correlate(Study)
    )


def _capped(*conditions: ColumnExpressionArgument[bool]) -> Any:
    some = select(literal(1)).select_from(Study).where(*conditions).limit(COUNT_LIMIT + 1).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def _cursor(after: str) -> Place:
    # Any more digits would be larger than a column.
    place = re.fullmatch(r"(-?\d{1,18})\.(\d{1,18})", after, re.ASCII)
    if place is None:
        raise Invalid(f"{after[:60]!r} is not a place in this list.")
    return int(place[1]), int(place[2])


def _ranked(row: "Row[Any]", policy: Policy, order: Any) -> RankedRow:
    study: Study = row[0]
    return RankedRow(
        study_id=study.id,
        patient_name=study.patient_name,
        patient_id=study.patient_id,
        accession_number=study.accession_number,
        birth_date=study.birth_date,
        sex=study.sex,
        body_part=study.body_part,
        description=study.description,
        study_date=study.study_date,
        image_count=row.image_count,
        received_at=study.received_at,
        due_at=clock.from_milliseconds(study.due_key),
        read_at=study.read_at,
        study_probability=study.study_probability,
        attention=study.attention,
        threshold_flagged=row.threshold_flagged,
        is_demo_score=study.is_demo_score,
        is_complete=study.is_complete,
        result=study.result,
        result_reason=study.result_reason,
        clinical_priority=study.clinical_priority,
        reading_state=study.reading_state,
        turn=study.turn,
        claimed_by=row.claimed_by,
        warning=warning_with(row.held_back, row.doubted, study.warning),
        reason=reason(
            study.study_probability, study.clinical_priority, policy=policy.of_arm(is_control=study.is_control)
        ),
        cannot_be_passed_after=overtaking_bound(study.rank_key, policy),
        place=getattr(study, order.key),
    )
