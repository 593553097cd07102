"""Anti-bias mode: what a reader thinks before they have seen what the classifier says."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from worklist import audit, settings
from worklist.errors import Conflict
from worklist.reading import claims
from worklist.tables import Claim, Opinion, ReadingState, Role, Study, User

READERS = (Role.READER, Role.LEAD)


def given(session: Session, study_id: int, user_id: int) -> Opinion | None:
    """Return the first opinion of a reader on a study; None if they have given none."""
    return session.scalars(
        select(Claim.first_opinion)
        .where(Claim.study_id == study_id, Claim.user_id == user_id, Claim.first_opinion.is_not(None))
        .order_by(Claim.id)
        .limit(1)
    ).first()


def is_hidden(session: Session, study: Study, user: User) -> bool:
    """Say whether a person must not see yet what the classifier says of a study.

    In anti-bias mode that is so for every reader, whoever has the study open, until they have given a first
    opinion, or the study is read.
    """
    return (
        settings.current().anti_bias
        and user.role in READERS
        and study.reading_state is not ReadingState.READ
        and given(session, study.id, user.id) is None
    )


def give(session: Session, study_id: int, user_id: int, opinion: Opinion) -> None:
    """Store a reader's first opinion on a study that they have open; it is never changed.

    Raises
    ------
    Conflict
        If somebody else has the study open, or it is read.
    """
    claims.claim(session, study_id, user_id)
    if given(session, study_id, user_id) is not None:
        return  # the same form sent twice
    own = update(Claim).where(Claim.study_id == study_id, Claim.user_id == user_id, Claim.released_at.is_(None))
    if claims.changed(session, own.values(first_opinion=opinion)) != 1:
        raise Conflict("Somebody else has taken this study over.")
    who = claims.username(session, user_id)
    audit.record(session, who, "verdict.first_opinion", about=("study", study_id), opinion=opinion.value)
