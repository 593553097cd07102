"""Start a worker or the scheduler with the flags that belong to it: ``python -m workers inference``."""

import os
import sys
import time
from urllib.parse import urlsplit

from worklist import database, jobs, logs, schema, settings
from worklist.errors import WorklistError

log = logs.logger(__name__)

USAGE = "Usage: python -m workers inference | background | training | scheduler"
KINDS = {
    "inference": [jobs.Queue.INFERENCE, jobs.Queue.RESCORING],
    "background": [jobs.Queue.EXPORT, jobs.Queue.HOUSEKEEPING],
    "training": [jobs.Queue.TRAINING],
}


def arguments(kind: str) -> list[str]:
    """Return Celery's command line for one kind of process."""
    level = settings.current().log_level
    if kind == "scheduler":
        schedule = settings.current().data_folder / "scheduler"
        return ["beat", "--loglevel", level, "--schedule", str(schedule), "--pidfile", ""]
    queues = ",".join(queue.value for queue in KINDS[kind])
    # prefork with one child: the only pool that answers while it works, keeps time limits, and survives the
    # death of its child. Gossip and mingle only add noise when the broker comes back.
    pool = ["--pool", "prefork", "--concurrency", "1", "--without-gossip", "--without-mingle"]
    if kind == "training":
        # Measuring a candidate loads whole networks, and trainings are days apart: nothing is kept in between.
        pool += ["--max-tasks-per-child", "1"]
    return ["worker", "--loglevel", level, "--hostname", f"{kind}@%h", "--queues", queues, *pool]


def main() -> int:
    """Run one kind of process until it is stopped."""
    if len(sys.argv) != 2 or sys.argv[1] not in {*KINDS, "scheduler"}:
        print(USAGE, file=sys.stderr)  # noqa: T201 - the command line's own words
        return 2
    try:
        logs.configure(settings.current().log_level)
        # Before the fork, and before the first job could fail on a schema that is not ours.
        schema.check(database.engine())
        database.engine().dispose()
        _wait_for_broker()
        if sys.argv[1] == "training":
            # A training takes hours and goes on from its checkpoint: it is not waited for at the end.
            os.environ["REMAP_SIGTERM"] = "SIGQUIT"
        # Only now: the application reads the settings when it is imported.
        from workers.app import app

        app.start(arguments(sys.argv[1]))
    except WorklistError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command line's own words
        return 1
    return 0


def _wait_for_broker() -> None:
    """Say in one sentence that nobody answers, and start as soon as somebody does."""
    is_told = False
    while not jobs.broker_answers():
        if not is_told:
            where = urlsplit(settings.current().broker_url)
            log.error(
                f"No broker answers at {where.hostname}:{where.port or 6379}: start Redis or Valkey there, or "
                "set WORKLIST_BROKER_URL. Waiting for it."
            )
            is_told = True
        time.sleep(2)


if __name__ == "__main__":
    sys.exit(main())
