"""Jobs: names, and a sending thread that never holds up whoever asks for one."""

import socket
import subprocess
import sys
import threading
import time

import pytest

from worklist import jobs, settings
from worklist.jobs import Publisher


@pytest.fixture
def held():
    """A stand-in for a client that hangs in its first publication until it is let go."""
    started, release, sent = threading.Event(), threading.Event(), []

    def publish(job, about_id):
        sent.append((job.name, about_id))
        started.set()
        release.wait(30)

    publisher = Publisher(publish)
    yield publisher, started, release, sent
    release.set()


def unreachable_client(monkeypatch, url):
    monkeypatch.setenv("WORKLIST_BROKER_URL", url)
    settings.current.cache_clear()
    jobs.producer.cache_clear()
    return Publisher(jobs._publish)


def seconds_to_send(publisher, count=100):
    started = time.monotonic()
    for number in range(count):
        publisher.send(jobs.ANALYSE_INSTANCE, number)
    return time.monotonic() - started


def test_whoever_asks_for_a_job_does_not_wait_for_a_broker_that_hangs(held):
    publisher, started, _, _ = held
    publisher.send(jobs.ANALYSE_INSTANCE, 1)
    assert started.wait(10)
    assert seconds_to_send(publisher) < 1


def test_jobs_are_sent_in_the_order_they_were_asked_for():
    sent = []
    publisher = Publisher(lambda job, about_id: sent.append((job.name, about_id)))
    for number in range(5):
        publisher.send(jobs.ANALYSE_INSTANCE, number)
    publisher.flush()
    assert sent == [("analyse_instance", number) for number in range(5)]


def test_with_the_line_full_a_job_is_dropped_and_nobody_waits(held, monkeypatch):
    monkeypatch.setattr(jobs, "BACKLOG", 2)
    _, _, release, _ = held
    started, sent = threading.Event(), []

    def publish(_job, about_id):
        started.set()
        release.wait(30)
        sent.append(about_id)

    publisher = Publisher(publish)
    publisher.send(jobs.ANALYSE_INSTANCE, 0)
    assert started.wait(10)
    for number in (1, 2, 3, 4):
        publisher.send(jobs.ANALYSE_INSTANCE, number)
    release.set()
    publisher.flush()
    assert sent == [0, 1, 2]


def test_after_a_failure_the_next_job_is_tried_again():
    answers, sent = iter([OSError("away"), None]), []

    def publish(_job, about_id):
        error = next(answers)
        if error:
            raise error
        sent.append(about_id)

    publisher = Publisher(publish)
    publisher.send(jobs.ANALYSE_INSTANCE, 1)
    publisher.flush()
    publisher.send(jobs.ANALYSE_INSTANCE, 2)
    publisher.flush()
    assert sent == [2]


def test_jobs_behind_a_failure_are_left_to_the_sweep_instead_of_failing_one_by_one(held):
    _, _, release, _ = held
    started, tries = threading.Event(), []

    def publish(_job, about_id):
        tries.append(about_id)
        started.set()
        release.wait(30)
        raise OSError("away")

    publisher = Publisher(publish)
    publisher.send(jobs.ANALYSE_INSTANCE, 0)
    assert started.wait(10)
    seconds_to_send(publisher, count=50)
    release.set()
    publisher.flush()
    assert tries == [0]


def test_a_broker_that_accepts_and_never_answers_holds_up_nobody(site, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        publisher = unreachable_client(monkeypatch, f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert seconds_to_send(publisher) < 1
        started = time.monotonic()
        publisher.flush()
        assert time.monotonic() - started < 60
    jobs.producer.cache_clear()


def test_a_broker_that_is_not_there_holds_up_nobody(site, monkeypatch):
    publisher = unreachable_client(monkeypatch, "redis://127.0.0.1:1/0")
    assert seconds_to_send(publisher) < 1
    started = time.monotonic()
    publisher.flush()
    assert time.monotonic() - started < 60
    jobs.producer.cache_clear()


def test_a_broker_that_is_not_there_or_never_answers_is_said_not_to_answer(site, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (1, silent.getsockname()[1]):
            monkeypatch.setenv("WORKLIST_BROKER_URL", f"redis://127.0.0.1:{port}/0")
            settings.current.cache_clear()
            jobs.producer.cache_clear()
            assert not jobs.broker_answers()
    jobs.producer.cache_clear()


def test_every_job_has_its_own_name_and_a_queue_that_exists():
    names = [job.name for job in jobs.JOBS]
    assert len(set(names)) == len(names)
    configuration = jobs.broker_configuration()
    declared = {queue.name for queue in configuration["task_queues"]}
    assert {route["queue"] for route in configuration["task_routes"].values()} <= declared
    assert set(configuration["task_routes"]) == set(names)


def test_a_running_task_is_never_handed_out_again_before_its_time_limit():
    options = jobs.broker_configuration()["broker_transport_options"]
    assert options["visibility_timeout"] >= 2 * 180


@pytest.mark.parametrize(
    ("imported", "banned"),
    [
        (
            "worklist.jobs, worklist.triage.record, worklist.intake.register",
            ["tensorflow", "keras", "openvino", "cv2", "flask"],
        ),
        ("workers.app, workers.tasks", ["tensorflow", "keras", "openvino", "flask"]),
        ("web", ["tensorflow", "keras", "openvino", "cv2", "workers", "celery.worker", "celery.app.trace"]),
    ],
)
def test_a_process_loads_only_the_libraries_of_its_kind(imported, banned):
    program = f"import sys, {imported}\nprint([name for name in {banned!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240)
    assert (done.stdout, done.stderr) == ("[]\n", "")
