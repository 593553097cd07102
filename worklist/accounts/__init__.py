"""People who sign in: passwords, lock-out, roles, and the end of older sessions."""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from worklist import audit, clock
from worklist.errors import Conflict, Invalid, NotFound
from worklist.tables import Role, User

LONGEST_USERNAME = 64
SHORTEST_PASSWORD = 12
# Longer input would only make the hash slower: a way to keep the server busy.
LONGEST_PASSWORD = 256
FAILURES_BEFORE_LOCK = 5
LOCKED_FOR = timedelta(minutes=15)


class WrongPassword(Invalid):
    """The present password, asked for again before a change, is not the right one."""


@dataclass(frozen=True)
class Attempt:
    """A password that was compared, still to be counted; ``user_id`` is None for an unknown name."""

    username: str
    user_id: int | None
    is_right: bool
    new_hash: str = ""


@lru_cache(maxsize=1)
def hasher() -> PasswordHasher:
    """Return argon2id with the parameters of RFC 9106 for servers; tests put a cheap one here."""
    return PasswordHasher()


def create_user(
    session: Session,
    *,
    username: str,
    display_name: str,
    password: str,
    role: Role,
    who: str = "worklist",
    must_change_password: bool = True,
) -> User:
    """Add an account.

    Raises
    ------
    Invalid
        If the name is empty or the password breaks the rule.
    Conflict
        If the name is taken.
    """
    name = _folded(username)
    if not is_username(name):
        raise Invalid(f"A user name has 1 to {LONGEST_USERNAME} characters and no spaces.")
    check_rule(password, name)
    if by_name(session, name) is not None:
        raise Conflict(f"There is already a user named {name}.")
    user = User(
        username=name,
        display_name=display_name.strip() or name,
        role=role,
        password_hash=hasher().hash(password),
        must_change_password=must_change_password,
        created_at=clock.now(),
    )
    add(session, user, who)
    return user


def add(session: Session, user: User, who: str) -> None:
    """Store an account that was made, and note who made it."""
    session.add(user)
    session.flush()
    audit.record(session, who, "user.created", about=("user", user.id), role=user.role.value)


def is_username(name: str) -> bool:
    """Say whether somebody can be called that."""
    return 0 < len(name) <= LONGEST_USERNAME and name.isprintable() and " " not in name


def check_rule(password: str, username: str) -> None:
    """Raise `Invalid` with the reason if a password is too easy to guess."""
    if len(password) < SHORTEST_PASSWORD:
        raise Invalid(
            f"The password has {len(password)} characters; it needs at least {SHORTEST_PASSWORD}, "
            "because shorter ones can be guessed. Three or four unrelated words do well."
        )
    if len(password) > LONGEST_PASSWORD:
        raise Invalid(f"The password has {len(password)} characters; at most {LONGEST_PASSWORD} are allowed.")
    if username in password.lower():
        raise Invalid("The password contains the user name, which is the first thing that is guessed.")
    if len(set(password)) < 5:
        raise Invalid("The password repeats fewer than five different characters; use more of them.")


def check(session: Session, username: str, password: str) -> Attempt:
    """Compare a password, which takes a tenth of a second on purpose; nothing is written.

    Comparing and counting are two steps so that SQLite's only write lock is not held meanwhile.
    """
    name = _folded(username)
    user = by_name(session, name)
    # An unknown name costs the same time, or the time would tell which names exist.
    is_right = _matches(user.password_hash if user else _nobody(), password)
    if user is None:
        return Attempt(username=name, user_id=None, is_right=False)
    stale = is_right and hasher().check_needs_rehash(user.password_hash)
    return Attempt(name, user.id, is_right, hasher().hash(password) if stale else "")


def sign_in(session: Session, attempt: Attempt) -> User | None:
    """Count an attempt and return the user, or None: wrong, locked or switched off."""
    user = confirm(session, attempt)
    if user is not None:
        user.signed_in_at = clock.now()
        audit.record(session, user.username, "user.signed_in", about=("user", user.id))
    return user


def confirm(session: Session, attempt: Attempt) -> User | None:
    """Count an attempt of somebody who signs in, or signs an act, and return the user if it is them.

    A refusal is returned and not raised, because its count has to be committed.
    """
    user = session.get(User, attempt.user_id) if attempt.user_id else None
    if user is None:
        # The typed name may be a password typed into the wrong field, so it is not kept.
        audit.record(session, "web", "user.sign_in_failed", about=("user", None), reason="unknown user")
        return None
    refusal = _refusal(session, user, attempt)
    if refusal:
        audit.record(session, user.username, "user.sign_in_failed", about=("user", user.id), reason=refusal)
        return None
    user.failed_sign_ins, user.locked_until = 0, None
    user.password_hash = attempt.new_hash or user.password_hash
    return user


def _refusal(session: Session, user: User, attempt: Attempt) -> str:
    if not user.is_active:
        return "switched off"
    if user.locked_until is not None and user.locked_until > clock.now():
        return "locked"
    if attempt.is_right:
        return ""
    _count_failure(session, user)
    return "wrong password"


def _count_failure(session: Session, user: User) -> None:
    # The database adds, so that attempts at the same moment are all counted.
    statement = (
        update(User)
        .where(User.id == user.id)
        .values(failed_sign_ins=User.failed_sign_ins + 1)
        .returning(User.failed_sign_ins)
    )
    failures = session.scalars(statement).one()
    if failures >= FAILURES_BEFORE_LOCK:
        user.locked_until = clock.now() + LOCKED_FOR
        user.failed_sign_ins = 0


def signed_in_user(session: Session, user_id: int, session_epoch: int) -> User | None:
    """Return the user of a session, or None if it was ended elsewhere or the account switched off."""
    user = session.get(User, user_id)
    if user is None or not user.is_active or user.session_epoch != session_epoch:
        return None
    return user


def sign_out(session: Session, user_id: int, *, everywhere: bool = False) -> None:
    """Note a sign-out; everywhere means that all sessions of this user end."""
    user = _get(session, user_id)
    user.session_epoch += 1 if everywhere else 0
    audit.record(session, user.username, "user.signed_out", about=("user", user.id), everywhere=everywhere)


def change_password(session: Session, user_id: int, *, present: str, new: str) -> User:
    """Set another password and end the user's older sessions.

    Raises
    ------
    WrongPassword
        If the present one is not right.
    Invalid
        If the new one breaks the rule or is the present one.
    """
    user = _get(session, user_id)
    if user.issuer is not None:
        raise Invalid("This account has no password here: its person signs in at the identity provider.")
    if not _matches(user.password_hash, present):
        raise WrongPassword("The present password is not right.")
    if present == new:
        raise Invalid("The new password is the present one; it has to be another.")
    check_rule(new, user.username)
    user.password_hash = hasher().hash(new)
    user.must_change_password = False
    user.session_epoch += 1
    audit.record(session, user.username, "user.password_changed", about=("user", user.id))
    return user


def _get(session: Session, user_id: int) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise NotFound(f"There is no user {user_id}.")
    return user


def by_name(session: Session, name: str) -> User | None:
    """Return the account with a user name, given in lower case."""
    return session.scalars(select(User).where(User.username == name)).one_or_none()


def _folded(username: str) -> str:
    return username.strip().lower()


def _matches(password_hash: str, password: str) -> bool:
    try:
        return hasher().verify(password_hash, password[: LONGEST_PASSWORD + 1])
    except VerifyMismatchError:
        return False


@lru_cache(maxsize=1)
def _nobody() -> str:
    return hasher().hash("nobody has this password")
