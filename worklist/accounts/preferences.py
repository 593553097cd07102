"""What one person has chosen for themselves: columns of the list, keys."""

from typing import Any

from sqlalchemy.orm import Session

from worklist.tables import User


def prefer(session: Session, user_id: int, name: str, value: Any) -> None:
    """Keep a choice, a JSON value; None takes it back."""
    user = session.get_one(User, user_id, with_for_update=True)
    others = {key: kept for key, kept in user.preferences.items() if key != name}
    user.preferences = others if value is None else {**others, name: value}
