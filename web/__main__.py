"""Run the web server: ``python -m web``."""

import sys

from web import server
from worklist import database, logs, schema, settings
from worklist.errors import WorklistError


def main() -> int:
    """Serve until stopped; a reason not to is one sentence on standard error."""
    try:
        effective = settings.current()
        logs.configure(effective.log_level)
        schema.check(database.engine())
        server.run(effective)
    except WorklistError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - for whoever started this by hand
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
