"""Jobs and tasks have the same names, and a task is one call."""

import pytest

from workers import tasks
from workers.app import app
from worklist import jobs


def registered():
    return {name for name in app.tasks if not name.startswith("celery.")}


def test_every_job_has_a_task_and_every_task_is_a_job():
    assert registered() == {job.name for job in jobs.JOBS}


@pytest.mark.parametrize(
    ("task", "module", "function"),
    [
        (tasks.analyse_instance, tasks.analysis, "analyse"),
        (tasks.write_display_copy, tasks.housekeeping, "write_display_copy"),
    ],
)
def test_a_task_hands_its_id_on(monkeypatch, task, module, function):
    seen = []
    monkeypatch.setattr(module, function, seen.append)
    task(7)
    assert seen == [7]


def test_the_sweep_takes_no_id(monkeypatch):
    seen = []
    monkeypatch.setattr(tasks.housekeeping, "sweep", lambda: seen.append("swept"))
    tasks.sweep()
    assert seen == ["swept"]
