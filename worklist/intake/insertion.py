"""Insert a row that two associations may bring at the same moment."""

from typing import Any

from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import DeclarativeBase, Session


def insert_unless_there(session: Session, table: type[DeclarativeBase], values: dict[str, Any]) -> int | None:
    """Insert a row and return its id; None if a row with the same unique values was faster."""
    insert: Any = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    statement = insert(table).values(**values).on_conflict_do_nothing().returning(table.__table__.c.id)
    new_id: int | None = session.execute(statement).scalar()
    return new_id
