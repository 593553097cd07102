"""The application on a fresh site, the people who return, a browser."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import TestResponse

from web import create_app
from worklist import accounts, database
from worklist.settings import Settings
from worklist.tables import Role

PASSWORD = "four quite unrelated words"
# Otto has no account.
PEOPLE = {
    "rita": ("Rita Reader", Role.READER),
    "lena": ("Lena Lead", Role.LEAD),
    "adam": ("Adam Administrator", Role.ADMINISTRATOR),
    "aude": ("Aude Auditor", Role.AUDITOR),
}
TOKEN = re.compile(r'name="csrf[-_]token" (?:content|value)="([^"]+)"')


class Visitor(FlaskClient):
    """A browser without a screen: it sends forms with the token of the page before, as a person would."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.environ_base["HTTP_ACCEPT"] = "text/html,*/*;q=0.8"

    def token(self, path: str = "/sign-in") -> str:
        """Return the token of a form on a page."""
        found = TOKEN.search(self.get(path).text)
        assert found, f"no form on {path}"
        return found[1]

    def submit(self, path: str, **form: Any) -> TestResponse:
        """Send a form."""
        return self.post(path, data={"csrf_token": self.token(), **form})

    def sign_in(self, username: str, password: str = PASSWORD, **form: Any) -> TestResponse:
        """Sign in by the form."""
        return self.submit("/sign-in", username=username, password=password, **form)


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make passwords cost nothing."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "hasher", lambda: cheap)


@pytest.fixture
def people(site: Settings) -> None:
    """Rita, Lena, Adam and Aude have accounts."""
    with database.transaction() as session:
        for username, (display_name, role) in PEOPLE.items():
            accounts.create_user(
                session,
                username=username,
                display_name=display_name,
                password=PASSWORD,
                role=role,
                must_change_password=False,
            )


@pytest.fixture
def app(site: Settings, people: None) -> Flask:
    """The application, with every guard in place."""
    app = create_app(site)
    app.test_client_class = Visitor
    return app


@pytest.fixture
def client(app: Flask) -> Visitor:
    """A visitor who has not signed in."""
    visitor = app.test_client()
    assert isinstance(visitor, Visitor)
    return visitor


@pytest.fixture
def sign_in(app: Flask) -> Callable[[str], Visitor]:
    """Return a browser in which somebody has signed in; each call is another workstation."""

    def sign_in(username: str) -> Visitor:
        visitor = app.test_client()
        assert isinstance(visitor, Visitor)
        assert visitor.sign_in(username).status_code == 302
        return visitor

    return sign_in


@pytest.fixture
def rita(sign_in: Callable[[str], Visitor]) -> Visitor:
    """Rita has signed in."""
    return sign_in("rita")


@pytest.fixture
def statements(site: Settings) -> Iterator[list[str]]:
    """The SQL statements sent to the database, for tests that count them."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        sent.append(statement)

    engine = database.engine()
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


class Quiet(WSGIRequestHandler):
    """Logs no request: the log of a test ends before the last request of its page."""

    def log_request(self, *_: Any) -> None:
        """Log nothing."""


class Gate:
    """Lets requests through to the application until it is closed, and then waits for those inside.

    A page that is still open polls on; its late request would connect to the next test's database.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._inside = 0
        self._is_open = True
        self._changed = threading.Condition()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer one request (PEP 3333)."""
        with self._changed:
            if not self._is_open:
                start_response("503 Service Unavailable", [])
                return []
            self._inside += 1
        try:
            return self._app(environ, start_response)
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in, and wait until everybody is out."""
        with self._changed:
            self._is_open = False
            assert self._changed.wait_for(lambda: self._inside == 0, timeout=30), "a request has not ended"


@pytest.fixture
def live_server(app: Flask) -> Iterator[str]:
    """The address of the application on a free loopback port."""
    with serve(app) as address:
        yield address


@contextmanager
def serve(app: Flask, port: int = 0) -> Iterator[str]:
    """Serve an application on a loopback port, by default a free one."""
    gate = Gate(app)
    server = make_server("127.0.0.1", port, gate, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    gate.close()


@pytest.fixture(scope="session")
def base_url() -> str:
    """Stand in for the fixture of pytest-base-url, which pytest 9 warns about."""
    return ""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Use the Chromium of the system; Playwright's own is never downloaded."""
    arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run"]
    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
    ]
    executable = shutil.which("chromium") or "/usr/bin/chromium"
    return {**browser_type_launch_args, "executable_path": executable, "args": [*arguments, *quiet]}
