"""The version of the database schema: bring it up to date, or say in words why it does not fit."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

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
    """
    _refuse_unknown(engine)
    with engine.connect() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take migrations back; used by tests and by an administrator who returns to an older release."""
    with engine.connect() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        command.downgrade(settings, revision)


def check(engine: Engine) -> None:
    """Make sure that the database has exactly the schema of this code.

    Raises
    ------
    Invalid
        If the database comes from a newer version of Worklist.
    Unavailable
        If it has to be migrated first.
    """
    current = _refuse_unknown(engine)
    if current != head():
        raise Unavailable(
            f"The database has schema {current or 'none'}, this version needs {head()}: run 'worklist migrate'."
        )


def head() -> str | None:
    """Return the revision that this code needs."""
    return ScriptDirectory.from_config(config()).get_current_head()


def _refuse_unknown(engine: Engine) -> str | None:
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if current is not None and current not in known:
        raise Invalid(
            f"The database has schema {current}, which this version does not know: it comes from a newer "
            "version of Worklist. Start that version, or restore the backup made before the upgrade."
        )
    return current
