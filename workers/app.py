"""The Celery application: queues, time limits, one log context for each task."""

from typing import Any

import structlog
from celery import Celery, signals

from worklist import database, jobs, logs, settings

log = logs.logger(__name__)

app = Celery("worklist", broker=settings.current().broker_url, include=["workers.tasks"])
app.conf.update(
    **jobs.broker_configuration(),
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_track_started=True,
    task_soft_time_limit=120,
    task_time_limit=180,
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=True,
    # Loading an engine can take longer than the default of 4 s: replacements would be killed in a loop.
    worker_proc_alive_timeout=300,
    worker_max_tasks_per_child=2000,
    # Our tasks take seconds and may run twice; killing them because the broker is away gains nothing.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_send_task_events=True,
    worker_hijack_root_logger=False,
    beat_schedule={
        "sweep": {
            "task": jobs.SWEEP.name,
            "schedule": settings.current().sweep_seconds,
            # Old reminders are worth nothing: they must not pile up while no worker runs.
            "options": {"queue": jobs.SWEEP.queue.value, "expires": settings.current().sweep_seconds * 2},
        }
    },
)

_queues: set[str] = set()


@signals.setup_logging.connect
def _log_in_one_form(**_: Any) -> None:
    logs.configure(settings.current().log_level)


@signals.celeryd_after_setup.connect
def _remember_queues(instance: Any, **_: Any) -> None:
    _queues.update(instance.app.amqp.queues.consume_from)


@signals.worker_process_init.connect
def _start_child(**_: Any) -> None:
    """Begin a child with connections of its own and, for inference, with a warm classifier.

    Celery only logs what a signal handler raises, so nothing that must stop a worker belongs here.
    """
    database.forget_engine()
    if jobs.Queue.INFERENCE.value in _queues:
        from workers import champion

        champion.warm()


@signals.task_prerun.connect
def _bind_log_context(task: Any, args: Any, **_: Any) -> None:
    structlog.contextvars.bind_contextvars(job=task.name, about=args[0] if args else None)


@signals.task_postrun.connect
def _clear_log_context(**_: Any) -> None:
    structlog.contextvars.clear_contextvars()
