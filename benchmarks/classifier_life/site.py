"""The processes of a site on free ports, and people who use its pages over HTTP as a browser would."""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.ports import free_port
from worklist import jobs, settings
from worklist.demo import preparation, run
from worklist.demo.supervise import Supervisor
from worklist.sender.send import send_folder

PROGRAMS = {"broker", "receiver", "web", "inference", "background", "training", "scheduler"}
TOKEN = re.compile(r'name="csrf[-_]token" (?:content|value)="([^"]+)"')
WORKERS = 3
START_SECONDS = 180


class Site:
    """A site with the two people of the demo and no classifier."""

    def __init__(self, supervisor: Supervisor, password: str) -> None:
        self.supervisor = supervisor
        self.password = password
        self.current = settings.current()

    def send(self, folder: Path) -> int:
        """Send the files of a folder by C-STORE; return how many were acknowledged."""
        report = send_folder(
            folder,
            host="127.0.0.1",
            port=self.current.receiver_port,
            called_ae_title=self.current.ae_title,
            calling_ae_title="ROOM-1",
        )
        assert not report.failed, report.text()
        return report.sent

    def person(self, username: str) -> "Person":
        """Sign a person in."""
        person = Person(f"http://127.0.0.1:{self.current.web_port}")
        person.post("/sign-in", on="/sign-in", username=username, password=self.password)
        return person


class Person:
    """Somebody with a browser: cookies, and forms that carry the token of the page before."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept"] = "text/html,*/*;q=0.8"

    def get(self, path: str) -> requests.Response:
        """Open a page; where a page sends its reader on, the last one is returned.

        Raises
        ------
        requests.HTTPError
            If the answer says that it did not work.
        """
        return self._checked(self._session.get(self._address + path, timeout=60))

    def post(self, path: str, *, on: str, **form: object) -> requests.Response:
        """Send a form that stands on the page ``on``."""
        return self.send(path, self.get(on).text, form)

    def send(self, path: str, page: str, form: Mapping[str, object]) -> requests.Response:
        """Send a form of a page that is open."""
        found = TOKEN.search(page)
        assert found, f"no form on the page before {path}"
        data = {"csrf_token": found[1], **form}
        return self._checked(self._session.post(self._address + path, data=data, timeout=120))

    def _checked(self, answer: requests.Response) -> requests.Response:
        if answer.status_code >= requests.codes.bad_request:
            words = " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())
            raise requests.HTTPError(f"{answer.request.path_url}: {answer.status_code} {words[:600]}")
        return answer


@contextmanager
def started(data: Path) -> Iterator[Site]:
    """Run a site from an empty folder, and stop it."""
    for name in ("RECEIVER", "WEB", "FLOWER"):
        os.environ[f"WORKLIST_{name}_PORT"] = str(free_port())
    os.environ["WORKLIST_MINIMUM_FREE_BYTES"] = "0"
    kept = preparation.configure(data)
    preparation.prepare_database(kept)
    programs = [program for program in run.programs(data, settings.current(), kept) if program.name in PROGRAMS]
    supervisor = Supervisor(data / "run", programs, settings.child_environment())
    # What this process sent jobs to before is another site's broker.
    jobs.producer.cache_clear()
    supervisor.start()
    try:
        site = Site(supervisor, kept.password)
        wait_until(lambda: _is_up(site), "the site is up", START_SECONDS)
        yield site
    finally:
        supervisor.stop()
        jobs.producer.cache_clear()


def wait_until(is_true: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait for something to become true, or say what did not."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Within {seconds:.0f} s it did not happen that {what}.")
        time.sleep(0.5)


def _is_up(site: Site) -> bool:
    assert site.supervisor.is_running, "the supervisor has stopped"
    try:
        site.person("adam")
        socket.create_connection(("127.0.0.1", site.current.receiver_port), 1).close()
        return len(jobs.producer().control.ping(timeout=1)) >= WORKERS
    except OSError:
        return False
