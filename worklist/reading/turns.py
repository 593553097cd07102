"""Second readings: who may read next, blind to whom, and who decides where two readers differ.

A study goes through at most three turns. The first reader's verdict closes it, unless chance chose it for a
second reader. The second reader does not see the first verdict. Where the two opinions differ a lead decides,
who was neither of the two and sees both.
"""

import hashlib
from collections.abc import Mapping

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from worklist import audit, settings
from worklist.errors import Conflict
from worklist.tables import ReadingState, Role, Study, Turn, User, Verdict


class NotYourTurn(Conflict):
    """The study waits for somebody else's judgement."""


def wants_second_reader(study_instance_uid: str) -> bool:
    """Say whether chance has chosen a study for a second reader: the same for the same study and share."""
    digest = hashlib.sha256(f"second reading|{study_instance_uid}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < settings.current().second_reading_share


def stands() -> ColumnElement[bool]:
    """Select the verdicts that stand: neither taken back nor corrected by a later one."""
    later = aliased(Verdict)
    return and_(Verdict.retracted_at.is_(None), ~exists().where(later.replaces_id == Verdict.id))


def standing(session: Session, study_id: int) -> Mapping[Turn, Verdict]:
    """Return the verdict that stands of each turn."""
    rows = session.scalars(select(Verdict).where(Verdict.study_id == study_id, stands()).order_by(Verdict.id))
    return {verdict.turn: verdict for verdict in rows}


def earlier_readers(session: Session, study: Study) -> set[int]:
    """Return who has had a turn before the one that the study waits for."""
    if study.turn is Turn.FIRST:
        return set()
    before = {Turn.SECOND: (Turn.FIRST,), Turn.ARBITRATION: (Turn.FIRST, Turn.SECOND)}[study.turn]
    found = standing(session, study.id)
    return {found[turn].user_id for turn in before if turn in found}


def check(session: Session, study: Study, user_id: int) -> None:
    """Raise `NotYourTurn` if a person may not judge an open study now."""
    if study.turn is Turn.FIRST:
        return
    if user_id in earlier_readers(session, study):
        if study.turn is Turn.SECOND:
            raise NotYourTurn("You were its first reader; it waits for a second one.")
        raise NotYourTurn("You were one of its two readers, who differ; it waits for a lead.")
    if study.turn is Turn.ARBITRATION and session.get_one(User, user_id).role is not Role.LEAD:
        raise NotYourTurn("The two readers of this study differ: a lead decides.")


def may_judge(user_id: int, role: Role) -> ColumnElement[bool]:
    """Select the open studies that a person may judge: `check` for a list."""
    own = exists().where(
        Verdict.study_id == Study.id,
        Verdict.user_id == user_id,
        or_(Verdict.turn == Turn.FIRST, and_(Verdict.turn == Turn.SECOND, Study.turn == Turn.ARBITRATION)),
        stands(),
    )
    allowed = (Turn.SECOND, Turn.ARBITRATION) if role is Role.LEAD else (Turn.SECOND,)
    return or_(Study.turn == Turn.FIRST, and_(Study.turn.in_(allowed), ~own))


def is_blind(session: Session, study: Study, user_id: int) -> bool:
    """Say whether a person must not know the first verdict, since they may become the second reader."""
    return (
        study.turn is Turn.SECOND
        and study.reading_state is not ReadingState.READ
        and user_id not in earlier_readers(session, study)
    )


def after(session: Session, study: Study) -> Turn | None:
    """Return whose turn it is once the verdict of the present turn is stored; None: the study is read."""
    found = standing(session, study.id)
    if study.turn is Turn.FIRST:
        return Turn.SECOND if wants_second_reader(study.study_instance_uid) else None
    return Turn.ARBITRATION if study.turn is Turn.SECOND and differ(found) else None


def differ(found: Mapping[Turn, Verdict]) -> bool:
    """Say whether first and second reader stand for different opinions."""
    opinions = {found[turn].opinion for turn in (Turn.FIRST, Turn.SECOND) if turn in found}
    return len(opinions) > 1


def pass_on(session: Session, study: Study, turn: Turn, who: str) -> None:
    """Let an open study wait for the reader of another turn."""
    session.execute(
        update(Study)
        .where(Study.id == study.id)
        .values(turn=turn, reading_state=ReadingState.UNREAD, is_open=True, read_at=None)
    )
    action = "study.second_reading" if turn is Turn.SECOND else "study.arbitration"
    audit.record(session, who, action, about=("study", study.id))
