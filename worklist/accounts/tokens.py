"""Tokens: programs act for a person, within scopes and until a day; the database keeps only their hashes."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from worklist import audit, clock
from worklist.errors import Invalid, NotFound
from worklist.tables import Token, User

PREFIX = "worklist_"
"""Lets scanners for secrets find one that was put where it does not belong."""

LONGEST_NAME, LONGEST_DAYS, MOST = 64, 366, 20
NOTED_EVERY = timedelta(minutes=1)


class Scope(StrEnum):
    """What a token is good for; never for more than its person may do."""

    STUDIES = "studies"
    VERDICTS = "verdicts"


@dataclass(frozen=True)
class Bearer:
    """Whoever shows a token."""

    user: User
    scopes: frozenset[Scope]


def create(session: Session, user_id: int, name: str, scopes: Iterable[str], days: int) -> tuple[Token, str]:
    """Make a token; return it with its secret, which nobody can read again.

    Raises
    ------
    Invalid
        If it has no name, no scope or an unknown one, lives too long, or the person has too many.
    """
    name, chosen = " ".join(name.split()), sorted(set(scopes))
    if not 0 < len(name) <= LONGEST_NAME:
        raise Invalid(f"A token needs a name of 1 to {LONGEST_NAME} characters, so that you know it again.")
    if not chosen:
        raise Invalid("A token without a scope is good for nothing: choose one.")
    if unknown := [scope for scope in chosen if scope not in list(Scope)]:
        raise Invalid(f"There is no scope {unknown[0]!r}; a token has {' or '.join(Scope)}.")
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid(f"A token lives 1 to {LONGEST_DAYS} days, not {days}.")
    if len(tokens(session, user_id)) >= MOST:
        raise Invalid(f"You have {MOST} tokens, which is the most: revoke one first.")
    secret = PREFIX + secrets.token_urlsafe(32)
    now = clock.now()
    row = Token(
        user_id=user_id,
        name=name,
        sha256=_digest(secret),
        scopes=chosen,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    session.add(row)
    session.flush()
    _record(session, user_id, "token.created", row)
    return row, secret


def tokens(session: Session, user_id: int) -> Sequence[Token]:
    """Return a person's tokens, the newest first."""
    return session.scalars(select(Token).where(Token.user_id == user_id).order_by(Token.id.desc())).all()


def revoke(session: Session, token_id: int, user_id: int) -> None:
    """Remove an own token.

    Raises
    ------
    NotFound
        If the person has no such token.
    """
    row = session.get(Token, token_id)
    if row is None or row.user_id != user_id:
        raise NotFound("You have no such token.")
    _record(session, user_id, "token.revoked", row)
    session.delete(row)


def bearer(session: Session, secret: str) -> Bearer | None:
    """Return for whom a token is good now; None for an unknown or old one, or a person who may not sign in."""
    row = session.scalars(select(Token).where(Token.sha256 == _digest(secret))).first()
    now = clock.now()
    if row is None or row.expires_at <= now:
        return None
    user = session.get_one(User, row.user_id)
    if not user.is_active or user.must_change_password:
        return None
    if row.used_at is None or now - row.used_at > NOTED_EVERY:
        row.used_at = now
    return Bearer(user, frozenset(map(Scope, row.scopes)))


def _digest(secret: str) -> str:
    # Plain: 256 random bits need no slow hash.
    return hashlib.sha256(secret.encode()).hexdigest()


def _record(session: Session, user_id: int, action: str, row: Token) -> None:
    who = session.get_one(User, user_id).username
    audit.record(session, who, action, about=("token", row.id), name=row.name, scopes=row.scopes)
