"""The pages of the HTTP interface: accessible, whole at every width, a token made by keyboard."""

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.conftest import violations

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [1600, 1280, 900])
@pytest.mark.parametrize("path", ["/api", "/account/tokens"])
def test_pages_are_accessible_and_nothing_is_cut_off(
    reader: Page, live_server: str, path: str, width: int
) -> None:
    reader.set_viewport_size({"width": width, "height": 800})
    reader.goto(f"{live_server}{path}")
    assert violations(reader) == []
    assert reader.evaluate("document.documentElement.scrollWidth") <= width


def test_token_is_made_and_revoked_without_the_mouse(reader: Page, live_server: str) -> None:
    reader.goto(f"{live_server}/account/tokens")
    expect(reader.get_by_text("You have no token.")).to_be_visible()
    reader.get_by_label("Name, so that you know it again").focus()
    reader.keyboard.type("night report")
    reader.keyboard.press("Enter")
    expect(reader.locator("#secret")).to_contain_text("worklist_")
    assert violations(reader) == []
    reader.get_by_role("button", name="Revoke the token night report").focus()
    reader.keyboard.press("Enter")
    expect(reader.get_by_text("The token is revoked")).to_be_visible()
    expect(reader.get_by_text("You have no token.")).to_be_visible()
