"""A reader works with keys of their own, on the list and on the study page."""

import pytest
from playwright.sync_api import expect

from tests.web.browser.conftest import violations
from tests.web.study_browser.conftest import READY, Open, press
from tests.web.study_browser.test_reading import is_at, verdicts
from worklist.tables import Study

pytestmark = pytest.mark.browser


def test_changed_keys_work_and_the_usual_ones_do_not_any_more(
    workstation: Open, five_studies: list[Study]
) -> None:
    page = workstation("rita")
    press(page, "?")
    page.get_by_role("link", name="Change keys").click()
    for action, key in (
        ("Next study", "x"),
        ("Abnormal", "j"),
        ("Undo the last verdict", "1"),
        ("Normal", ""),
        ("Invert", "{"),
    ):
        page.get_by_label(action, exact=True).fill(key)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your keys are kept.")).to_be_visible()

    page.goto("/")
    page.wait_for_selector("#filters[data-live]", state="attached")
    press(page, "j")
    expect(page.locator("tr[aria-selected]")).to_have_count(0)
    press(page, "x", "Enter")
    expect(page.locator(READY)).to_be_visible()
    press(page, "{")
    expect(page.get_by_role("button", name="Invert")).to_have_attribute("aria-pressed", "true")
    press(page, "i")
    expect(page.get_by_role("button", name="Invert")).to_have_attribute("aria-pressed", "true")
    press(page, "Enter")
    expect(page.get_by_role("alert")).to_have_text("Choose first: normal, j abnormal or 3 unsure.")
    press(page, "j", "Enter")
    is_at(page, 2)
    assert [opinion for _, opinion, _ in verdicts()] == ["abnormal"]
    press(page, "1")
    is_at(page, 1)
    assert verdicts() == []


@pytest.mark.parametrize("width", [1600, 1280, 900])
def test_page_is_accessible_and_nothing_is_cut_off(workstation: Open, width: int) -> None:
    page = workstation("rita")
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/account/keys")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=f"/tmp/keys-{width}.png", full_page=True)
