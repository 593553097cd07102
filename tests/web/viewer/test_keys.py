"""The viewer by keyboard: its own keys act, the page's keys pass, typing is left alone."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Press = Callable[..., None]
Greys = Callable[[Page], NDArray[np.uint8]]


def button(page: Page, action: str) -> str | None:
    return page.locator(f"[data-viewer-action={action}]").get_attribute("aria-pressed")


def test_h_and_b_switch_heat_map_and_crop_box(page: Page, open_study: Open, press: Press) -> None:
    open_study(page, "ramp")
    assert (button(page, "heat-map"), button(page, "crop-box")) == ("true", "true")
    press(page, "h", "b")
    expect(page.locator(".viewer-heat-map")).to_be_hidden()
    expect(page.locator(".viewer-crop-box")).to_be_hidden()
    expect(page.locator(".viewer-legend")).to_be_hidden()
    assert (button(page, "heat-map"), button(page, "crop-box")) == ("false", "false")


def test_brackets_and_slider_change_the_opacity(page: Page, open_study: Open, press: Press) -> None:
    open_study(page, "ramp")
    slider = page.locator("[data-viewer-opacity]")
    expect(slider).to_have_value("45")
    press(page, "]", "]", "[")
    expect(slider).to_have_value("55")
    slider.fill("20")
    expect(page.locator(".viewer-heat-map")).to_have_css("opacity", "0.2")


def test_i_inverts_the_greys_and_0_brings_them_back(
    either_page: Page, open_study: Open, press: Press, greys: Greys
) -> None:
    open_study(either_page, "square")
    before = greys(either_page)
    press(either_page, "i")
    assert np.abs(greys(either_page)[400, 600] + before[400, 600].astype(int) - 255) <= 1
    press(either_page, "+", "r", "f", "0")
    assert np.abs(greys(either_page).astype(int) - before).max() <= 1
    assert button(either_page, "invert") == "false"


def test_arrows_pan_only_while_a_view_has_focus(
    either_page: Page, open_study: Open, press: Press, greys: Greys
) -> None:
    def left_edge() -> int:
        return int(np.nonzero(greys(either_page)[400] > 40)[0][0])

    open_study(either_page, "square")
    before = left_edge()
    press(either_page, "ArrowRight")
    assert left_edge() == before
    either_page.locator(".view").focus()
    press(either_page, "ArrowRight")
    assert left_edge() == pytest.approx(before + 60, abs=1)


def test_tab_moves_between_views_and_space_maximises_one(page: Page, open_study: Open, press: Press) -> None:
    open_study(page, "square,ramp,detector")
    page.locator("#comment").focus()
    press(page, "Tab", "Tab")
    expect(page.locator(".view").nth(1)).to_be_focused()
    before = re.search(r"\d+ %", page.locator(".viewer-window").nth(1).inner_text())
    assert before is not None
    press(page, " ")
    expect(page.locator(".view").nth(0)).to_be_hidden()
    expect(page.locator(".viewer-window").nth(1)).not_to_contain_text(before[0])
    press(page, " ")
    expect(page.locator(".view").nth(0)).to_be_visible()


def test_zoomed_view_is_as_it_was_after_another_was_maximised(
    page: Page, open_study: Open, press: Press, greys: Greys
) -> None:
    open_study(page, "square,ramp")
    page.locator(".view").first.focus()
    press(page, "+", "+", "ArrowLeft", "r")
    before = greys(page).astype(int)
    page.locator(".view").nth(1).focus()
    press(page, " ", " ")
    assert np.abs(greys(page) - before).max() <= 1


def test_clicked_view_leaves_tab_and_the_keys_of_the_page_alone(
    page: Page, open_study: Open, press: Press
) -> None:
    open_study(page, "square,ramp")
    page.evaluate("addEventListener('keydown', e => { document.title += e.key + e.defaultPrevented })")
    page.locator(".view").nth(0).click()
    press(page, "1", "Enter", "n", "Tab")
    expect(page.locator(".view").nth(1)).to_be_focused()
    expect(page).to_have_title("Viewer1falseEnterfalsenfalseTabfalse")


def test_typing_and_shortcuts_of_the_browser_do_not_reach_the_viewer(
    page: Page, open_study: Open, press: Press
) -> None:
    open_study(page, "ramp")
    page.locator("#comment").fill("")
    press(page, "h", "i")
    expect(page.locator("#comment")).to_have_value("hi")
    page.locator(".view").focus()
    press(page, "Alt+h")
    assert (button(page, "heat-map"), button(page, "invert")) == ("true", "false")


def test_keys_act_on_the_view_clicked_last(page: Page, open_study: Open, press: Press) -> None:
    open_study(page, "square,ramp")
    page.locator(".view").nth(1).click()
    press(page, "i")
    assert button(page, "invert") == "true"
    page.locator(".view").nth(0).click()
    assert button(page, "invert") == "false"


def test_buttons_choose_the_tool_and_say_which_it_is(page: Page, open_study: Open, press: Press) -> None:
    open_study(page, "ramp")
    assert button(page, "window") == "true"
    page.locator("[data-viewer-action=length]").click()
    assert (button(page, "window"), button(page, "length")) == ("false", "true")
    press(page, "w")
    assert button(page, "window") == "true"
    assert button(page, "rotate") is None


def test_page_may_choose_other_keys(page: Page, open_study: Open, press: Press) -> None:
    open_study(page, "ramp", path="keys")
    press(page, "i")
    assert button(page, "invert") == "false"
    press(page, "x")
    assert button(page, "invert") == "true"
