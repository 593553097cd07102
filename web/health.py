"""What a supervisor or load balancer asks: is the process up, can it serve a page?"""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from worklist import database, schema
from worklist.errors import WorklistError

bp = Blueprint("health", __name__)


@bp.get("/live")
def live() -> ResponseReturnValue:
    """Answer without touching anything: the process is up."""
    return jsonify(live=True)


@bp.get("/ready")
def ready() -> ResponseReturnValue:
    """Answer whether pages can be served: the database answers and has the schema of this code.

    The broker is not asked. Pages work without it, and a server taken out of service because of it would
    turn a delay of scores into a list that nobody can see.
    """
    try:
        with database.reading():
            schema.check(database.engine())
    except WorklistError as error:
        return jsonify(ready=False, reason=str(error)), 503
    return jsonify(ready=True)
