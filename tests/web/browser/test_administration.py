"""The administrator's pages in a browser: what is seen, by keyboard, by axe, at every width."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.administration import PATIENT, hold_images, reject_all
from tests.web.browser.conftest import violations
from tests.web.conftest import PASSWORD
from worklist import database
from worklist.intake import sources
from worklist.tables import BodyPart, ClinicalPriority

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
def busy(people: None, sent_jobs: Any) -> list[int]:
    """A site with sources, held back images, and things turned away."""
    with database.transaction() as session:
        source = sources.add(session, "CR-ROOM1", "10.0.0.7", name="Room 1", who="adam")
        rules = sources.Rules("Room 1", BodyPart.WRIST, ClinicalPriority.STAT, 30, "ISO_IR 144", 11112, True)
        sources.change(session, source.id, rules, who="adam")
        off = sources.add(session, "OLD-CR", "10.0.0.9", name="The old apparatus in the cellar", who="adam")
        sources.switch(session, off.id, is_enabled=False, who="adam")
    held = hold_images("CR-ROOM1", "10.0.0.7")
    reject_all()
    return held


@pytest.mark.parametrize(("width", "height"), [(1600, 900), (1280, 800), (900, 700), (480, 800)])
@pytest.mark.parametrize(
    "page_name",
    [
        "quarantine",
        "sources",
        "ranking",
        "sources/1",
        "sources/add",
        "accounts",
        "accounts/1",
        "accounts/add",
        "../audit",
    ],
)
def test_pages_are_accessible_and_nothing_is_cut_off(
    busy: list[int], administrator: Page, tmp_path: Path, page_name: str, width: int, height: int
) -> None:
    administrator.set_viewport_size({"width": width, "height": height})
    administrator.goto(administrator.url.rstrip("/") + f"/admin/{page_name}")
    for closed in administrator.locator("details").all():
        closed.locator("summary").click()
    administrator.screenshot(path=tmp_path / "page.png", full_page=True)
    assert violations(administrator) == []
    assert administrator.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("page_name", ["quarantine", "sources"])
def test_empty_pages_are_accessible(people: None, administrator: Page, page_name: str) -> None:
    administrator.goto(administrator.url.rstrip("/") + f"/admin/{page_name}")
    assert violations(administrator) == []
    expect(administrator.locator(".empty")).to_be_visible()


def test_picture_is_shown_and_where_there_is_none_the_reason(busy: list[int], administrator: Page) -> None:
    administrator.goto(administrator.url.rstrip("/") + "/admin/quarantine")
    with_pixels = administrator.get_by_role("article", name="Names another patient than its study")
    picture = with_pixels.get_by_role("img", name="This image, small")
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("naturalWidth", 320)
    without = administrator.get_by_role("article", name="Is known in another study")
    without.scroll_into_view_if_needed()
    expect(without).to_contain_text("No picture: Bits Allocated (0028,0100) is None, not 8 or 16.")
    expect(without.get_by_role("img")).to_have_count(0)
    assert violations(administrator) == []


def test_image_is_filed_with_the_keyboard_alone(busy: list[int], administrator: Page) -> None:
    administrator.get_by_role("link", name="Administration 2 held back").press("Enter")
    expect(administrator.get_by_role("heading", level=1)).to_have_text("Images that are held back")
    article = administrator.get_by_role("article", name="Names another patient than its study")
    expect(article).to_contain_text(PATIENT.replace("^", ", "))
    article.get_by_text("File it in the study …").press("Enter")
    note = article.get_by_label("Why? Whoever asks later finds it here.").first
    expect(note).to_be_visible()
    administrator.keyboard.press("Tab")
    expect(note).to_be_focused()
    administrator.keyboard.press("Tab")
    administrator.keyboard.press("Enter")  # without a note, the browser asks for one
    expect(note).to_be_focused()
    administrator.keyboard.type("Room 1 confirmed it by telephone.")
    administrator.keyboard.press("Tab")
    administrator.keyboard.press("Enter")
    expect(administrator.get_by_role("status")).to_contain_text("Filed in study")
    expect(administrator.get_by_role("article")).to_have_count(1)
    expect(administrator.get_by_role("link", name="Administration 1 held back")).to_be_visible()


def test_unknown_source_is_let_in_with_one_button(busy: list[int], administrator: Page) -> None:
    administrator.get_by_role("link", name="Administration").click()
    administrator.get_by_role("link", name="Sources").click()
    administrator.get_by_role("button", name="Let it send: NEW-DX at 10.0.0.20").click()
    expect(administrator.get_by_role("status")).to_have_text("NEW-DX at 10.0.0.20 may send images.")
    row = administrator.get_by_role("row").filter(has_text="It was not a known source then.")
    expect(row).to_contain_text("it may send now")
