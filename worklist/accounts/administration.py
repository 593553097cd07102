"""Accounts as an administrator sees them: who there is, what they may do, and a new first password."""

import secrets
from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from worklist import accounts, audit, clock
from worklist.accounts import identity_provider
from worklist.errors import Conflict, Invalid, NotFound
from worklist.tables import Role, User

LONGEST_NAME = 128


def everybody(session: Session) -> Sequence[User]:
    """Return all accounts by name, those that are switched off last."""
    return session.scalars(select(User).order_by(User.is_active.desc(), User.display_name, User.id)).all()


def existing(session: Session, user_id: int) -> User:
    """Return an account.

    Raises
    ------
    NotFound
        If there is none with this id.
    """
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such account.")
    return user


def add(session: Session, username: str, display_name: str, role: Role, *, who: str) -> tuple[User, str]:
    """Add an account; return it with its first password, which is told once and nowhere kept.

    Raises
    ------
    Invalid
        If a name is empty or too long.
    Conflict
        If the user name is taken.
    """
    password = _drawn()
    user = accounts.create_user(
        session,
        username=username,
        display_name=_checked(display_name or username),
        password=password,
        role=role,
        who=who,
    )
    return user, password


def change(session: Session, user_id: int, *, display_name: str, role: Role, who: str) -> User:
    """Give an account another name or role; with another role its sessions end.

    Raises
    ------
    Invalid
        If the name is empty or too long.
    Conflict
        If nobody would be left to administrate, or the role comes from an identity provider.
    """
    user = existing(session, user_id)
    name = _checked(display_name)
    if role is not user.role and user.issuer is not None:
        raise Conflict(f"The role of {user.display_name} follows their groups at the identity provider.")
    if role is not user.role:
        _keep_an_administrator(session, user)
        user.session_epoch += 1
    user.display_name, user.role = name, role
    audit.record(session, who, "user.changed", about=("user", user.id), role=role.value)
    return user


def switch(session: Session, user_id: int, *, is_active: bool, who: str) -> User:
    """Let an account sign in or not; what its person did stays theirs.

    Raises
    ------
    Conflict
        If nobody would be left to administrate.
    """
    user = existing(session, user_id)
    if not is_active:
        _keep_an_administrator(session, user)
        user.session_epoch += 1
    user.is_active = is_active
    audit.record(session, who, "user.switched", about=("user", user.id), is_active=is_active)
    return user


def unlock(session: Session, user_id: int, *, who: str) -> User:
    """Let somebody try again who has mistyped the password too often."""
    user = existing(session, user_id)
    user.failed_sign_ins, user.locked_until = 0, None
    audit.record(session, who, "user.unlocked", about=("user", user.id))
    return user


def reset_password(session: Session, user_id: int, *, who: str) -> tuple[User, str]:
    """Replace a password that was forgotten; return the account and the new one, to be changed at sign-in.

    An account of an identity provider becomes a local one.
    """
    user = existing(session, user_id)
    user.issuer = user.subject = None
    password = _drawn()
    user.password_hash = accounts.hasher().hash(password)
    user.must_change_password = True
    user.failed_sign_ins, user.locked_until = 0, None
    user.session_epoch += 1
    audit.record(session, who, "user.password_reset", about=("user", user.id))
    return user, password


def hand_over(session: Session, user_id: int, issuer: str, *, who: str) -> User:
    """Let the person of a local account sign in at a provider instead; what they did stays theirs.

    Raises
    ------
    Conflict
        If it is a program's account, or no administrator with a password would be left: when the provider
        cannot be reached, somebody must be able to sign in.
    """
    user = existing(session, user_id)
    if user.role is Role.SERVICE:
        raise Conflict(f"{user.display_name} is a program, which signs in with its password.")
    if user.role is Role.ADMINISTRATOR and not _other_administrators(session, user, User.issuer.is_(None)):
        raise Conflict(
            f"{user.display_name} is the only administrator with a password here: keep one for the day on "
            "which the provider cannot be reached."
        )
    user.issuer, user.subject = issuer, None
    user.password_hash = identity_provider.unknown_password()
    user.must_change_password = False
    user.session_epoch += 1
    audit.record(session, who, "user.handed_over", about=("user", user.id))
    return user


def is_locked(user: User) -> bool:
    """Whether an account cannot sign in for a while, after too many wrong passwords."""
    return user.locked_until is not None and user.locked_until > clock.now()


def _drawn() -> str:
    """Return a password of 64 random bits that can be read out over a telephone."""
    return "-".join(secrets.token_hex(2) for _ in range(4))


def _checked(display_name: str) -> str:
    name = display_name.strip()
    if not name or len(name) > LONGEST_NAME:
        raise Invalid(f"A name has 1 to {LONGEST_NAME} characters; this one has {len(name)}.")
    return name


def _keep_an_administrator(session: Session, user: User) -> None:
    if user.role is Role.ADMINISTRATOR and not _other_administrators(session, user):
        raise Conflict(f"{user.display_name} is the only administrator: make somebody else one first.")


def _other_administrators(session: Session, user: User, *conditions: ColumnElement[bool]) -> int:
    others = (User.role == Role.ADMINISTRATOR, User.is_active, User.id != user.id, *conditions)
    return session.scalar(select(func.count()).where(*others)) or 0
