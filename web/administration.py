"""What all pages of administrators share: who may see them, and what waits for a decision."""

from flask import Blueprint, Flask, redirect, url_for
from flask.typing import ResponseReturnValue

from web import security
from worklist import database, logs
from worklist.errors import WorklistError
from worklist.intake import held_files
from worklist.tables import Role

log = logs.logger(__name__)

bp = Blueprint("administration", __name__, url_prefix="/admin")

administrators_only = security.role(Role.ADMINISTRATOR)


def register(app: Flask) -> None:
    """Let the header of every page say how many files wait for an administrator."""
    app.jinja_env.globals.update(held_count=held_count)


@bp.get("")
@administrators_only
def page() -> ResponseReturnValue:
    """Go to the first page of the administration."""
    return redirect(url_for("quarantine.page"))


def held_count() -> int | None:
    """Count the files that wait for a decision; None while the database is away, since error pages ask too."""
    try:
        with database.reading() as session:
            return held_files.open_count(session)
    except WorklistError as error:
        log.warning("held files not counted", error=str(error))
        return None
