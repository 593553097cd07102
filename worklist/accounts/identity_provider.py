"""People who sign in at an identity provider: which account is theirs, and what they may do here."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from worklist import accounts, audit, clock
from worklist.errors import Conflict, Invalid
from worklist.tables import Role, User


@dataclass(frozen=True)
class Identity:
    """Somebody whom a provider vouches for (OpenID Connect Core 1.0, 5.1: standard claims)."""

    issuer: str
    subject: str
    username: str
    display_name: str
    groups: frozenset[str]


def identity(issuer: str, claims: Mapping[str, Any], groups_claim: str) -> Identity:
    """Read who somebody is from the claims of a provider.

    ``groups_claim`` may be the path to a claim inside others, such as ``realm_access.roles``.
    """
    subject = str(claims["sub"])
    names = (claims.get(name) for name in ("preferred_username", "email"))
    username = next(
        (name for name in names if isinstance(name, str) and accounts.is_username(name.strip())), subject
    )
    display_name = claims.get("name")
    return Identity(
        issuer=issuer,
        subject=subject,
        username=username.strip().lower()[: accounts.LONGEST_USERNAME],
        display_name=str(display_name or username)[:128],
        groups=frozenset(_groups(claims, groups_claim)),
    )


def sign_in(session: Session, person: Identity, roles: Mapping[str, str]) -> User:
    """Return the account of somebody who has signed in, made anew if they come for the first time.

    Parameters
    ----------
    roles
        Group → role; the first that the person is in counts, at each sign-in anew.

    Raises
    ------
    Invalid
        If none of the groups has a role here, or the account is switched off.
    Conflict
        If another account has the user name.
    """
    role = next((Role(role) for group, role in roles.items() if group in person.groups), None)
    if role is None:
        raise Invalid(
            f"You are signed in there as {person.username}, but in none of the groups that may work here: "
            f"{', '.join(roles)}."
        )
    user = _account(session, person) or _new(session, person, role)
    if not user.is_active:
        raise Invalid("This account is switched off. An administrator can switch it on.")
    user.display_name = person.display_name
    if user.role is not role:
        user.role = role
        user.session_epoch += 1
        audit.record(session, user.username, "user.changed", about=("user", user.id), role=role.value)
    user.signed_in_at = clock.now()
    audit.record(session, user.username, "user.signed_in", about=("user", user.id))
    return user


def _account(session: Session, person: Identity) -> User | None:
    """Return the account of this subject, or the one that waits for them under their user name."""
    known = select(User).where(User.issuer == person.issuer, User.subject == person.subject)
    user = session.scalars(known).one_or_none()
    if user is not None:
        return user
    namesake = accounts.by_name(session, person.username)
    if namesake is None:
        return None
    if namesake.issuer != person.issuer or namesake.subject is not None:
        raise Conflict(
            f"Here the user name {person.username} belongs to an account with a password. If it is yours, "
            "an administrator can hand it over to this way of signing in."
        )
    namesake.subject = person.subject
    return namesake


def _new(session: Session, person: Identity, role: Role) -> User:
    user = User(
        username=person.username,
        display_name=person.display_name,
        role=role,
        password_hash=unknown_password(),
        must_change_password=False,
        created_at=clock.now(),
        issuer=person.issuer,
        subject=person.subject,
    )
    accounts.add(session, user, user.username)
    return user


def unknown_password() -> str:
    """Return the hash of a password that nobody has."""
    return accounts.hasher().hash(secrets.token_hex(32))


def _groups(claims: Mapping[str, Any], name: str) -> Iterable[str]:
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found]
    return [str(group) for group in found] if isinstance(found, list) else []
