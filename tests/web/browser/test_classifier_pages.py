"""Classifiers, gate and trainings in a browser: by axe, at every width, live, by keyboard."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.conftest import violations
from tests.web.conftest import PASSWORD
from tests.web.versions import make_training, make_verdicts, make_versions
from worklist import database
from worklist.classifiers import run_log, runs
from worklist.classifiers.run_log import Point
from worklist.tables import TrainingState

pytestmark = pytest.mark.browser


@pytest.fixture
def administrator(visitor: Page) -> Page:
    """The list, after Adam has signed in."""
    visitor.locator("#username").fill("adam")
    visitor.locator("#password").fill(PASSWORD)
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("link", name="Administration")).to_be_visible()
    return visitor


@pytest.fixture
def busy(people: None, sent_jobs: Any) -> dict[str, str]:
    """Versions in every state, verdicts, a training; the address of each page by its name."""
    ids = make_versions()
    make_verdicts()
    run_id = make_training()
    return {
        "list": "classifiers",
        "card": f"classifiers/{ids['watching-1']}",
        "gate": f"classifiers/{ids['watching-1']}/gate",
        "training": "training",
        "run": f"training/{run_id}",
    }


def go(page: Page, address: str) -> None:
    origin = page.url.split("/", 3)
    page.goto(f"{origin[0]}//{origin[2]}/admin/{address}")


@pytest.mark.parametrize(("width", "height"), [(1600, 900), (1280, 800), (900, 700), (480, 800)])
@pytest.mark.parametrize("name", ["list", "card", "gate", "training", "run"])
def test_pages_are_accessible_and_nothing_is_cut_off(
    busy: dict[str, str], administrator: Page, tmp_path: Path, name: str, width: int, height: int
) -> None:
    administrator.set_viewport_size({"width": width, "height": height})
    go(administrator, busy[name])
    for closed in administrator.locator("details").all():
        closed.locator("summary").click()
    administrator.screenshot(path=tmp_path / f"{name}-{width}.png", full_page=True)
    assert violations(administrator) == []
    assert administrator.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", ["classifiers", "training"])
def test_empty_pages_are_accessible(people: None, administrator: Page, name: str) -> None:
    go(administrator, name)
    assert violations(administrator) == []


def test_a_training_is_started_followed_and_cancelled_by_keyboard(
    people: None, sent_jobs: Any, administrator: Page
) -> None:
    make_versions()
    go(administrator, "training")
    administrator.get_by_label("Name of the version").press("Control+a")
    administrator.keyboard.type("from-the-page")
    administrator.keyboard.press("Enter")
    expect(administrator.get_by_role("heading", level=1)).to_have_text("Training of from-the-page")
    expect(administrator.locator(".run-state")).to_contain_text("Waits for a worker")
    run_id = int(administrator.url.rsplit("/", 1)[1])
    with database.transaction() as session:
        runs.claim(session, run_id, "worker-1")
        run_log.add(session, run_id, Point("start", message="300 labelled images of 110 patients."))
        run_log.add(session, run_id, Point("fine-tuning", 1, 2, 1, 4, loss=0.5, seconds_left=30))
    expect(administrator.locator(".log")).to_contain_text("300 labelled images of 110 patients.")
    expect(administrator.locator(".run-state")).to_contain_text("Fine-tuning, epoch 1 of 2")
    expect(administrator.get_by_role("status").last).to_contain_text("Running: Fine-tuning")
    administrator.locator("details summary").press("Enter")
    administrator.get_by_role("button", name="Cancel the training").press("Enter")
    expect(administrator.locator(".run-state")).to_contain_text("Stopping")
    with database.transaction() as session:
        run = runs.held(session, run_id, 1)
        assert run is not None
        runs.end(session, run, TrainingState.CANCELLED, reason="An administrator cancelled it.")
    expect(administrator.locator(".run-state")).to_contain_text("Cancelled")


def test_a_version_is_put_in_charge_by_keyboard(busy: dict[str, str], administrator: Page) -> None:
    go(administrator, "classifiers")
    administrator.get_by_role("link", name="Put watching-1 in charge").press("Enter")
    administrator.get_by_label("Reason").fill("The old version misses implants.")
    administrator.get_by_label("Your password").fill(PASSWORD)
    administrator.keyboard.press("Enter")
    expect(administrator.get_by_text("watching-1 is in charge. Studies that wait")).to_be_visible()
    row = administrator.get_by_role("row", name="watching-1")
    expect(row).to_contain_text("In charge")
