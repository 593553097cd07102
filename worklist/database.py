"""Engine, transactions, and what may happen after them; the only place that commits.

The common recipe, a listener on ``after_commit``, is wrong with savepoints: it fires when a savepoint is
released while the outer transaction is still open. So ``transaction()`` begins, yields, commits, and only then
makes the calls that ``after_commit`` collected.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, DateTime, Engine, Enum, MetaData, create_engine, event
from sqlalchemy.engine import Connection, Dialect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from worklist import logs, settings
from worklist.errors import Invalid, Unavailable, WorklistError

log = logs.logger(__name__)

# The same names in both engines, or Alembic could not find a constraint again.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
AFTER_COMMIT = "worklist.after_commit"


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC time in both engines; SQLite has no time zones, so it is stored naive there."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: they are the origin of every daylight-saving fault."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise Invalid(f"The time {value.isoformat()} has no time zone.")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def by_value(enum: type[Any], length: int = 32, *, name: str = "", checked: bool = True) -> Enum:
    """Return a column type that stores a ``StrEnum`` by its value, as text with a check constraint.

    A table that has two of one kind gives the second a name of its own. One that is added to a large table goes
    without the constraint: SQLite would have to copy the table.
    """
    return Enum(
        enum,
        values_callable=lambda members: [member.value for member in members],
        native_enum=False,
        create_constraint=checked,
        length=length,
        name=name or enum.__name__.lower(),
    )


class Base(DeclarativeBase):
    """The base of all tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {datetime: UTCDateTime()}  # noqa: RUF012 - SQLAlchemy's own form


def make_engine(url: str) -> Engine:
    """Return an engine with the rules that each of the two databases needs.

    Raises
    ------
    Invalid
        If the URL is not one of PostgreSQL or of an SQLite file.
    Unavailable
        If the folder of the SQLite file cannot be made.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Invalid(
            "WORKLIST_DATABASE_URL is not a database URL, like postgresql://user:password@host/worklist."
        ) from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _make_sqlite_engine(parsed)
    if backend == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            hide_parameters=True,  # an error names the statement; its values are patients'
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=20,
            connect_args={"connect_timeout": 5},
        )
    raise Invalid(f"WORKLIST_DATABASE_URL names {backend}; Worklist runs on SQLite and PostgreSQL.")


def _make_sqlite_engine(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise Invalid("WORKLIST_DATABASE_URL names a database in memory; Worklist needs a file.")
    folder = Path(url.database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"The folder {folder} cannot be made: {error.strerror}.") from error
    # The connection that was used last knows most of the pages that are wanted next.
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": 10}, pool_use_lifo=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we emit BEGIN ourselves, see _begin_sqlite
    cursor = connection.cursor()
    # FULL: an acknowledged image must survive a power cut, so each commit is synced.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads first and writes later fails with "database is locked" whatever the
    # busy timeout (seen: 6,296 times in 2,000 jobs), so every writing transaction takes the lock at once.
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@lru_cache(maxsize=1)
def engine() -> Engine:
    """Return the engine of this process."""
    return make_engine(settings.current().effective_database_url)


@lru_cache(maxsize=1)
def _sessions() -> sessionmaker[Session]:
    return sessionmaker(expire_on_commit=False)


def forget_engine() -> None:
    """Drop the engine: after a fork, and when a test changes the database."""
    if engine.cache_info().currsize:
        engine().dispose(close=False)
    engine.cache_clear()


@contextmanager
def transaction(bind: Engine | Connection | None = None) -> Iterator[Session]:
    """Begin, yield the session, commit on leaving, then make the calls left with ``after_commit``.

    Raises
    ------
    Unavailable
        If the database cannot be reached or is locked for too long.
    """
    with _sessions()(
        bind=bind if bind is not None else engine(), join_transaction_mode="create_savepoint"
    ) as session:
        with plain_errors(), session.begin():
            yield session
        for call in session.info.pop(AFTER_COMMIT, ()):
            _call_safely(call)


@contextmanager
def reading(bind: Engine | Connection | None = None) -> Iterator[Session]:
    """Yield a session for reading only: it takes no write lock, and closing it ends the transaction.

    Rows that were read can be used afterwards, as far as they were loaded; an explicit rollback would
    expire them.
    """
    bind = bind if bind is not None else engine()
    if isinstance(bind, Engine):
        bind = bind.execution_options(read_only=True)
    session = _sessions()(bind=bind, join_transaction_mode="create_savepoint", autoflush=False)
    with session, plain_errors():
        yield session


def after_commit(session: Session, call: Callable[[], None]) -> None:
    """Make a call once, after this session's transaction has been committed; never if it is not.

    Notes
    -----
    A savepoint that is rolled back does not take its calls along, so a call may name a row that is not there.
    """
    session.info.setdefault(AFTER_COMMIT, []).append(call)


def _call_safely(call: Callable[[], None]) -> None:
    # The rows are committed: whatever happens here must neither look like a failed transaction, or a modality
    # would be told that its image was not kept, nor keep the calls behind it from being made.
    try:
        call()
    except Exception:
        log.exception("call after commit failed")


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what SQLAlchemy raises when the database is away or locked into `Unavailable`."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("The database did not answer: all connections are in use.") from error
    except OperationalError as error:
        raise Unavailable(f"The database did not answer: {_first_line(error)}") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable(f"The database went away: {_first_line(error)}") from error
        raise
    except StatementError as error:
        # A value that one of our own types refused.
        if isinstance(error.orig, WorklistError):
            raise error.orig from error
        raise


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
