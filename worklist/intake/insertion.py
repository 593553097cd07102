"""Insert a row that two associations may bring at the same moment."""

from functools import lru_cache
from typing import Any

from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import DeclarativeBase, Session


def insert_unless_there(session: Session, table: type[DeclarativeBase], values: dict[str, Any]) -> int | None:
    """Insert a row and return its id; None if a row with the same unique values was faster."""
    connection = session.connection()
    new_id: int | None = connection.scalar(_statement(table, connection.dialect.name), values)
    return new_id


@lru_cache
def _statement(table: type[DeclarativeBase], dialect: str) -> Any:
    insert: Any = sqlite_insert if dialect == "sqlite" else postgresql_insert
    return insert(table).on_conflict_do_nothing().returning(table.__table__.c.id)
