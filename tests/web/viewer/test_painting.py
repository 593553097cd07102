"""What the reader sees is what the server sent, with and without WebGL, and nothing leaves the host."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Greys = Callable[[Page], NDArray[np.uint8]]


def test_ramp_is_shown_in_the_greys_its_window_asks_for(
    either_page: Page, open_study: Open, greys: Greys
) -> None:
    open_study(either_page, "ramp")
    row = greys(either_page)[300].astype(float)
    box = either_page.locator(".viewer-layer").evaluate(
        "e => new DOMMatrix(getComputedStyle(e).transform).toJSON()"
    )
    column = (np.arange(row.size) + 0.5 - box["e"]) / box["a"] - 0.5  # source column under each screen pixel
    inside = (column > 1) & (column < 398)
    # PS3.3 C.11.2.1.2.1 for window centre 20000, width 30000.
    expected = np.clip(((1000 + 100 * column - 19999.5) / 29999 + 0.5) * 255, 0, 255)
    has_webgl = either_page.evaluate("document.createElement('canvas').getContext('webgl2') !== null")
    # Without WebGL the browser enlarges greys that are rounded to 8 bits already.
    assert np.abs(row - expected)[inside].max() <= (1.0 if has_webgl else 1.5)
    assert np.diff(row[inside]).min() >= 0


def test_study_with_three_views_is_painted_without_a_message_in_the_console(
    page: Page, open_study: Open
) -> None:
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    open_study(page, "square,ramp,detector")
    expect(page.locator(".view[data-state=ready]")).to_have_count(3)
    expect(page.locator(".view canvas.cornerstone-canvas")).to_have_count(3)
    assert messages == []


def test_no_request_leaves_the_host(page: Page, open_study: Open, site: str) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    open_study(page, "square,ramp")
    assert len(addresses) > 6
    assert [a for a in addresses if not a.startswith((site, "blob:" + site))] == []


def test_words_name_view_window_scale_and_unit(page: Page, open_study: Open) -> None:
    open_study(page, "ramp")
    expect(page.locator(".viewer-label")).to_have_text("ramp · R")
    expect(page.locator(".viewer-notes")).to_have_text("VOI LUT applied")
    expect(page.locator(".viewer-window")).to_contain_text("W 30000  C 20000")
    expect(page.locator(".viewer-window")).to_contain_text("lengths in px")


@pytest.mark.parametrize(("count", "columns"), [(2, 2), (3, 3), (5, 3)])
def test_layout_gives_upright_images_the_most_room(
    page: Page, open_study: Open, count: int, columns: int
) -> None:
    open_study(page, ",".join(["square"] * count))
    lefts = page.locator(".view").evaluate_all("views => views.map(v => v.getBoundingClientRect().left)")
    assert len(set(lefts)) == columns


def test_image_is_fitted_again_when_the_window_becomes_smaller(
    page: Page, open_study: Open, greys: Greys
) -> None:
    open_study(page, "square")
    expect(page.locator(".viewer-window")).to_contain_text("147 %")
    page.set_viewport_size({"width": 500, "height": 700})
    expect(page.locator(".viewer-window")).not_to_contain_text("147 %")
    screen = greys(page)
    fitted = min(screen.shape[0] / 500, screen.shape[1] / 400)
    rows, columns = np.nonzero(screen > 0)  # less the margin of three that `greys` blackens
    assert columns.max() - columns.min() + 1 == pytest.approx(400 * fitted, abs=8)
    assert rows.max() - rows.min() + 1 == pytest.approx(500 * fitted, abs=8)
