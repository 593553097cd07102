"""A reader with a real browser."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.factories import make_study
from tests.web.conftest import PASSWORD
from worklist import database
from worklist.tables import Attention

# Two slow cores under load; a poll alone takes three seconds.
PATIENCE_MS = 40_000


def add(name: str, **values: Any) -> int:
    """Add a study and return its id."""
    with database.transaction() as session:
        folded = name.upper()
        return make_study(session, patient_name=name, patient_name_folded=folded, **values).id


def add_flagged(name: str, **values: Any) -> int:
    """Add a study that stands before all others that arrived lately."""
    return add(name, probability=0.97, attention=Attention.FLAGGED, **values)


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong on a page, with the first element each."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


@pytest.fixture
def visitor(page: Page, live_server: str) -> Iterator[Page]:
    """The sign-in page; a script error or a forbidden resource fails the test."""
    expect.set_options(timeout=PATIENCE_MS)
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    # These tests only arrive at the study page; its viewer has tests of its own and takes long to start.
    page.route("**/viewer.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.set_viewport_size({"width": 1600, "height": 900})
    page.goto(f"{live_server}/")
    yield page
    # What the browser says of answers that a test asked for.
    expected = ("the server responded with a status of", "ERR_CONNECTION_REFUSED", "ERR_INTERNET_DISCONNECTED")
    assert [text for text in complaints if not any(part in text for part in expected)] == []


@pytest.fixture
def reader(visitor: Page, live_server: str) -> Page:
    """The list, after Rita has signed in."""
    sign_in(visitor)
    return visitor


def sign_in(page: Page) -> None:
    """Sign Rita in with the keyboard alone."""
    try_to_sign_in(page, PASSWORD)
    page.wait_for_selector("#filters[data-live]", state="attached")  # the script listens to keys


def try_to_sign_in(page: Page, password: str) -> None:
    """Type into the sign-in page; the first field has the focus."""
    expect(page.locator("#username")).to_be_focused()
    page.keyboard.type("rita")
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
