"""The Celery application: what may be lost, doubled or killed without harm."""

import sys

import pytest
import structlog

from workers import __main__ as program
from workers import app as workers_app
from workers.app import app
from worklist import database, jobs

pytestmark = pytest.mark.usefixtures("site")


def test_a_job_is_acknowledged_after_its_work_and_returns_when_its_worker_dies():
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1


def test_no_task_runs_for_ever_or_is_handed_out_twice_while_it_runs():
    assert app.conf.task_soft_time_limit < app.conf.task_time_limit
    visibility = app.conf.broker_transport_options["visibility_timeout"]
    assert app.conf.task_time_limit * 2 <= visibility


def test_only_json_is_taken_from_the_broker():
    assert app.conf.accept_content == ["json"]


def test_the_scheduler_reminds_of_the_sweep_and_old_reminders_are_dropped():
    (entry,) = app.conf.beat_schedule.values()
    assert entry["task"] == jobs.SWEEP.name
    assert entry["options"]["expires"] > entry["schedule"]


def test_each_log_line_of_a_task_names_job_and_id():
    class Task:
        name = "analyse_instance"

    workers_app._bind_log_context(task=Task, args=[7])
    assert structlog.contextvars.get_contextvars() == {"job": "analyse_instance", "about": 7}
    workers_app._clear_log_context()
    assert structlog.contextvars.get_contextvars() == {}


@pytest.mark.parametrize(
    ("kind", "queues"), [("inference", "inference,rescoring"), ("background", "export,housekeeping")]
)
def test_each_kind_of_worker_listens_to_its_queues(kind, queues):
    arguments = program.arguments(kind)
    assert arguments[arguments.index("--queues") + 1] == queues
    assert arguments[arguments.index("--pool") + 1] == "prefork"


def test_every_queue_has_a_worker():
    assert {queue for queues in program.KINDS.values() for queue in queues} == set(jobs.Queue)


@pytest.mark.parametrize("words", [[], ["gpu"], ["inference", "training"]])
def test_an_unknown_kind_is_answered_with_those_that_exist(monkeypatch, capsys, words):
    monkeypatch.setattr(sys, "argv", ["workers", *words])
    assert program.main() == 2
    assert "inference | background | training | scheduler" in capsys.readouterr().err


def test_a_worker_does_not_start_on_a_database_that_was_not_migrated(site, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["workers", "background"])
    monkeypatch.setattr(program.logs, "configure", lambda _level: None)
    monkeypatch.setattr(app, "start", lambda _arguments: pytest.fail("it started"))
    database.forget_engine()
    (site.data_folder / "worklist.sqlite").unlink()
    assert program.main() == 1
    assert "run 'worklist migrate'" in capsys.readouterr().err
