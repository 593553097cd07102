"""Names, queues and sending of all background jobs; the only module here that knows Celery.

A job is a name and an id. It is sent after the transaction that asked for it has been committed, from a thread
of its own, so that a broker that hangs can never hold up a modality. A job that is lost is found by a sweep:
the database is the truth, the queue only carries hints.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from celery import Celery
from kombu import Queue as KombuQueue
from kombu.exceptions import OperationalError
from sqlalchemy.orm import Session

from worklist import database, logs, settings

log = logs.logger(__name__)

# Twice the hard time limit of the longest task that is acknowledged after its work; a shorter one would hand
# running tasks out again.
VISIBILITY_TIMEOUT_SECONDS = 600
BACKLOG = 10_000


class Queue(StrEnum):
    """The lines in which jobs wait; each has workers of its own."""

    INFERENCE = "inference"
    RESCORING = "rescoring"
    EXPORT = "export"
    TRAINING = "training"
    HOUSEKEEPING = "housekeeping"


@dataclass(frozen=True)
class Job:
    """One kind of background work."""

    name: str
    queue: Queue


ANALYSE_INSTANCE = Job("analyse_instance", Queue.INFERENCE)
ANALYSE_OFFERED = Job("analyse_offered", Queue.RESCORING)
WRITE_DISPLAY_COPY = Job("write_display_copy", Queue.EXPORT)
REPORT_COMMITMENT = Job("report_commitment", Queue.EXPORT)
TRAIN = Job("train", Queue.TRAINING)
SWEEP = Job("sweep", Queue.HOUSEKEEPING)
JOBS = (ANALYSE_INSTANCE, ANALYSE_OFFERED, WRITE_DISPLAY_COPY, REPORT_COMMITMENT, TRAIN, SWEEP)


def broker_configuration() -> dict[str, Any]:
    """Return the settings that producers and workers of one broker must share."""
    return {
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_default_queue": Queue.HOUSEKEEPING.value,
        "task_queues": [KombuQueue(line.value) for line in Queue],
        "task_routes": {job.name: {"queue": job.queue.value} for job in JOBS},
        "task_create_missing_queues": False,
        "task_send_sent_event": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
            # A worker looks into its queues in their order: new images before those to be scored anew.
            "queue_order_strategy": "priority",
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            # Without it a broker that stalls during a restore locks all restoring for five minutes.
            "unacked_mutex_expire": 30,
            "socket_timeout": 4,
            "socket_connect_timeout": 4,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
    }


def enqueue(session: Session, job: Job, about_id: int) -> None:
    """Ask for a job about one row, to be sent once the session's transaction is committed."""
    database.after_commit(session, lambda: send(job, about_id))


def send(job: Job, about_id: int | None = None) -> None:
    """Hand a job to the sending thread and return at once; a job that cannot be sent is left to the sweep."""
    _publisher().send(job, about_id)


class Publisher:
    """A thread that sends jobs, so that whoever asks for one never waits for the broker."""

    def __init__(self, publish: Callable[[Job, int | None], None]) -> None:
        self._publish = publish
        self._waiting: queue.Queue[tuple[Job, int | None]] = queue.Queue(maxsize=BACKLOG)
        self._broken = False
        threading.Thread(target=self._run, name="job-publisher", daemon=True).start()

    def send(self, job: Job, about_id: int | None) -> None:
        """Put a job in line; with the line full it is dropped and left to the sweep."""
        try:
            self._waiting.put_nowait((job, about_id))
        except queue.Full:
            log.warning("job dropped, the sweep will find it", job=job.name, about=about_id)

    def flush(self) -> None:
        """Wait until everything in line has been tried."""
        self._waiting.join()

    def _run(self) -> None:
        while True:
            job, about_id = self._waiting.get()
            try:
                self._publish(job, about_id)
                self._note(broken=False)
            except Exception as error:  # whatever the client raises, the sweep covers it
                # Each try at a broker that hangs takes seconds: those behind it are not tried one by one, or
                # what they wait for would be a line hours long.
                self._note(broken=True, error=type(error).__name__, dropped=1 + self._drop_waiting())
            finally:
                self._waiting.task_done()

    def _drop_waiting(self) -> int:
        dropped = 0
        while True:
            try:
                self._waiting.get_nowait()
            except queue.Empty:
                return dropped
            self._waiting.task_done()
            dropped += 1

    def _note(self, *, broken: bool, error: str = "", dropped: int = 0) -> None:
        if broken != self._broken:
            self._broken = broken
            if broken:
                log.error("broker not reachable, jobs are left to the sweep", error=error, dropped=dropped)
            else:
                log.info("broker reachable again")


@lru_cache(maxsize=1)
def producer() -> Celery:
    """Return the Celery client that sends by name; only ``workers/tasks.py`` knows the functions."""
    client = Celery("worklist", broker=settings.current().broker_url)
    client.conf.update(broker_configuration())
    return client


def broker_answers() -> bool:
    """Say whether the broker can be reached now; it takes four seconds at most to find out."""
    with producer().connection() as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=4)
        except (*connection.connection_errors, OperationalError):
            return False
        return True


def _publish(job: Job, about_id: int | None) -> None:
    producer().send_task(
        job.name, args=[] if about_id is None else [about_id], queue=job.queue.value, retry=False
    )


@lru_cache(maxsize=1)
def _publisher() -> Publisher:
    return Publisher(_publish)


def flush() -> None:
    """Wait until every job asked for so far has been sent or given up; for programs that end."""
    _publisher().flush()
