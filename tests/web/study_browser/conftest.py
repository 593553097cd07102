"""A browser in which somebody has signed in, and a page of one study."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.factories import make_classifier
from tests.web.conftest import PASSWORD
from tests.web.study_browser.radiographs import add_study
from worklist import database
from worklist.tables import ClassifierVersion, Study

Open = Callable[[str], Page]
# A software renderer on a busy machine takes its time.
expect.set_options(timeout=60_000)
READY = "[data-viewer][data-state=ready]"


@pytest.fixture
def workstation(browser: Browser, live_server: str) -> Iterator[Open]:
    """Return a new browser with a person signed in; each call is another workstation."""
    contexts: list[BrowserContext] = []

    def sign_in(username: str) -> Page:
        context = browser.new_context(base_url=live_server, viewport={"width": 1280, "height": 800})
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.goto("/sign-in")
        page.get_by_label("User name").fill(username)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{live_server}/")
        return page

    yield sign_in
    for context in contexts:
        context.close()


@pytest.fixture
def version(people: None) -> ClassifierVersion:
    """The classifier in charge."""
    with database.transaction() as session:
        return make_classifier(session)


@pytest.fixture
def five_studies(version: ClassifierVersion) -> list[Study]:
    """Five studies in the order in which they are to be read."""
    with database.transaction() as session:
        return [
            add_study(
                session,
                version,
                seed=number,
                probability=0.9 - number / 10,
                waiting_minutes=60 - number,
                patient_name=f"SYNTHETIC^Number{number}",
            )
            for number in range(1, 6)
        ]


def go(page: Page, address: str) -> Page:
    """Open an address and wait until its images are painted."""
    page.goto(address)
    expect(page.locator(READY)).to_be_visible()
    return page


def press(page: Page, *keys: str) -> None:
    """Press keys one after the other, wherever the focus is, once the page's scripts listen to them."""
    page.wait_for_load_state("load")
    for key in keys:
        page.keyboard.press(key)
