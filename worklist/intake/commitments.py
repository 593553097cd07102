"""Requests to commit: kept as rows, judged by what is on disk, answered again until the answer is taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from worklist import archive, audit, clock, jobs
from worklist.dicom.commitment import FailureReason, Reference
from worklist.errors import Conflict
from worklist.intake.sources import Destination, destination
from worklist.tables import Commitment, CommitmentReference, CommitmentState, Instance, Source

WHO = "commitment"
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
CLAIMED_FOR = timedelta(minutes=3)
"""Longer than one attempt can take, so that no two run at once."""

GIVEN_UP_AFTER = timedelta(days=3)
OFFERED_AT_ONCE = 8
UIDS_AT_ONCE = 500
"""Values of one query; SQLite of old takes 999."""


@dataclass(frozen=True)
class Answer:
    """What is to be told about one request; without a destination only on the association that asked."""

    commitment_id: int
    transaction_uid: str
    our_ae_title: str
    references: tuple[Reference, ...]
    destination: Destination | None


def request(
    session: Session,
    source: Source,
    transaction_uid: str,
    references: Sequence[Reference],
    *,
    our_ae_title: str,
) -> int:
    """Keep a request and ask for its answer; return its id. The same request again is answered again.

    Raises
    ------
    Conflict
        If the source has used the transaction UID for other images.
    """
    now = clock.now()
    known = session.scalars(
        select(Commitment)
        .where(Commitment.source_id == source.id, Commitment.transaction_uid == transaction_uid)
        .options(selectinload(Commitment.references))
    ).one_or_none()
    if known is None:
        known = Commitment(
            source_id=source.id,
            transaction_uid=transaction_uid,
            our_ae_title=our_ae_title,
            requested_at=now,
            next_attempt_at=now,
            references=[
                CommitmentReference(sop_class_uid=each.sop_class_uid, sop_instance_uid=each.sop_instance_uid)
                for each in references
            ],
        )
        session.add(known)
        session.flush()
    elif _pairs(known.references) != _pairs(references):
        raise Conflict(f"Transaction UID {transaction_uid} was used for other images already.")
    known.state, known.attempts, known.requested_at, known.next_attempt_at = (
        CommitmentState.WAITING,
        0,
        now,
        now,
    )
    about = ("commitment", known.id)
    audit.record(session, source.ae_title, "commitment.requested", about=about, images=len(references))
    if source.port is not None:
        jobs.enqueue(session, jobs.REPORT_COMMITMENT, known.id)
    return known.id


def due(session: Session) -> list[int]:
    """Return requests whose answer should be tried now; those of sources without a port wait for one."""
    rows = (
        select(Commitment.id)
        .join(Commitment.source)
        .where(
            Commitment.state == CommitmentState.WAITING,
            Commitment.next_attempt_at <= clock.now(),
            Source.port.is_not(None),
        )
    )
    return list(session.scalars(rows.order_by(Commitment.next_attempt_at).limit(OFFERED_AT_ONCE)))


def give_up_old(session: Session) -> None:
    """Stop trying to answer what was asked days ago: the source has long asked again, or given up itself."""
    given_up = session.scalars(
        update(Commitment)
        .where(
            Commitment.state == CommitmentState.WAITING,
            Commitment.requested_at < clock.now() - GIVEN_UP_AFTER,
        )
        .values(state=CommitmentState.GIVEN_UP)
        .returning(Commitment.id)
    ).all()
    for commitment_id in given_up:
        audit.record(session, WHO, "commitment.given_up", about=("commitment", commitment_id))


def claim(session: Session, commitment_id: int, *, at_once: bool = False) -> Answer | None:
    """Take a request for one attempt and return its answer; None if it is not due, or another has it.

    Parameters
    ----------
    at_once
        On the association that asked, whatever the time of the next attempt is.
    """
    now = clock.now()
    taken = session.scalars(
        update(Commitment)
        .where(
            Commitment.id == commitment_id,
            Commitment.state == CommitmentState.WAITING,
            *(() if at_once else (Commitment.next_attempt_at <= now,)),
        )
        .values(attempts=Commitment.attempts + 1, next_attempt_at=now + CLAIMED_FOR)
        .returning(Commitment.id)
    ).one_or_none()
    if taken is None:
        return None
    commitment = session.scalars(
        select(Commitment)
        .where(Commitment.id == commitment_id)
        .options(selectinload(Commitment.references), joinedload(Commitment.source))
    ).one()
    _judge(session, commitment.references)
    return Answer(
        commitment_id=commitment.id,
        transaction_uid=commitment.transaction_uid,
        our_ae_title=commitment.our_ae_title,
        references=tuple(
            Reference(each.sop_class_uid, each.sop_instance_uid, each.failure_reason)
            for each in commitment.references
        ),
        destination=destination(commitment.source, commitment.our_ae_title),
    )


def note_reported(session: Session, answer: Answer) -> None:
    """Note that the source has taken the answer."""
    commitment = session.get_one(Commitment, answer.commitment_id)
    commitment.state, commitment.reported_at = CommitmentState.REPORTED, clock.now()
    commitment.last_error = ""
    failed = sum(each.failure_reason is not None for each in answer.references)
    audit.record(
        session,
        WHO,
        "commitment.reported",
        about=("commitment", commitment.id),
        committed=len(answer.references) - failed,
        failed=failed,
    )


def note_failed(session: Session, answer: Answer, reason: str, *, is_unreachable: bool) -> None:
    """Note that the answer was not taken, and when it is tried again.

    With an unreachable source all its requests wait: each further try would only cost a time-out.
    """
    commitment = session.get_one(Commitment, answer.commitment_id)
    commitment.last_error = reason
    next_attempt_at = clock.now() + pause(commitment.attempts)
    commitment.next_attempt_at = next_attempt_at
    if is_unreachable:
        session.execute(
            update(Commitment)
            .where(
                Commitment.source_id == commitment.source_id,
                Commitment.state == CommitmentState.WAITING,
                Commitment.next_attempt_at < next_attempt_at,
            )
            .values(next_attempt_at=next_attempt_at)
        )


def pause(attempts: int) -> timedelta:
    """Return the time before the next attempt: 30 seconds, doubled with each, one hour at most."""
    return min(FIRST_PAUSE * (1 << min(max(attempts - 1, 0), 10)), LONGEST_PAUSE)


def _pairs(references: Sequence[Reference] | Sequence[CommitmentReference]) -> set[tuple[str, str]]:
    return {(each.sop_class_uid, each.sop_instance_uid) for each in references}


def _judge(session: Session, references: Sequence[CommitmentReference]) -> None:
    """Write down for each image whether it is kept: there is a row, and its whole file."""
    for start in range(0, len(references), UIDS_AT_ONCE):
        some = references[start : start + UIDS_AT_ONCE]
        rows = session.scalars(
            select(Instance).where(
                Instance.sop_instance_uid.in_([each.sop_instance_uid for each in some]), Instance.is_current
            )
        )
        kept = {row.sop_instance_uid: row for row in rows}
        for each in some:
            each.failure_reason = _failure_reason(each, kept.get(each.sop_instance_uid))


def _failure_reason(reference: CommitmentReference, kept: Instance | None) -> int | None:
    if kept is None or not archive.has(kept.file_path, kept.file_bytes):
        return FailureReason.NO_SUCH_OBJECT_INSTANCE
    if kept.sop_class_uid != reference.sop_class_uid:
        return FailureReason.CLASS_INSTANCE_CONFLICT
    return None
