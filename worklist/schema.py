"""The version of the database schema: bring it up to date, or say in words why it does not fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from worklist import database
from worklist.errors import Invalid, Unavailable

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def config() -> Config:
    """Return Alembic's configuration; there is no ini file, so that every way of starting agrees."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.set_main_option("path_separator", "os")
    return settings


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Migrate the database to a revision; the newest by default.

    Raises
    ------
    Invalid
        If the database comes from a newer version of Worklist.
    Unavailable
        If it cannot be reached, or another process is migrating it.
    """
    _refuse_unknown(engine)
    with _own_connection(engine) as connection:
        command.upgrade(_config_for(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take migrations back; used by tests and by an administrator who returns to an older release."""
    with _own_connection(engine) as connection:
        command.downgrade(_config_for(connection), revision)


def check(engine: Engine) -> None:
    """Make sure that the database has exactly the schema of this code.

    Raises
    ------
    Invalid
        If the database comes from a newer version of Worklist.
    Unavailable
        If it has to be migrated first, or cannot be reached.
    """
    current = _refuse_unknown(engine)
    if current != head():
        raise Unavailable(
            f"The database has schema {current or 'none'}, this version needs {head()}: run 'worklist migrate'."
        )


def head() -> str | None:
    """Return the revision that this code needs."""
    return ScriptDirectory.from_config(config()).get_current_head()


@contextmanager
def _own_connection(engine: Engine) -> Iterator[Connection]:
    """Yield a connection outside of the pool: its time-outs, and its lock if a migration fails, end with it."""
    with database.plain_errors(), engine.connect() as connection:
        connection.detach()
        yield connection


def _config_for(connection: Connection) -> Config:
    settings = config()
    settings.attributes["connection"] = connection
    return settings


def _refuse_unknown(engine: Engine) -> str | None:
    with database.plain_errors(), engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if current is not None and current not in known:
        raise Invalid(
            f"The database has schema {current}, which this version does not know: it comes from a newer "
            "version of Worklist. Start that version, or restore the backup made before the upgrade."
        )
    return current
