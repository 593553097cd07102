"""People who sign in, and what they may do."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from worklist.database import Base, by_value


class Role(StrEnum):
    """What an account is for."""

    READER = "reader"
    LEAD = "lead"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    SERVICE = "service"


class User(Base):
    """An account: local, with the argon2 hash of a password, or that of an identity provider (``issuer``)."""

    __tablename__ = "user"
    __table_args__ = (
        CheckConstraint("username = lower(username)", name="username_lower_case"),
        UniqueConstraint("issuer", "subject"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(128))
    role: Mapped[Role] = mapped_column(by_value(Role))
    password_hash: Mapped[str] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(default=True)
    must_change_password: Mapped[bool] = mapped_column(default=True)
    failed_sign_ins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    # Raised at sign-out everywhere, password and role changes: older sessions end.
    session_epoch: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    signed_in_at: Mapped[datetime | None]
    # Who the person is at the identity provider; without a subject: whoever comes first with this user name.
    issuer: Mapped[str | None] = mapped_column(String(255))
    subject: Mapped[str | None] = mapped_column(String(255))
    # What this person has chosen: columns of the list, keys.
    preferences: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")


class Token(Base):
    """What a program shows to act for a person; the secret itself is kept nowhere."""

    __tablename__ = "token"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    name: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SavedView(Base):
    """Filters of the list under a name: one person's, or everybody's."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    name: Mapped[str] = mapped_column(String(64))
    # The filters as the address of the list carries them.
    query: Mapped[dict[str, str]] = mapped_column(JSON)
    is_shared: Mapped[bool] = mapped_column(default=False)
