"""Heat map and crop box stay on the place in the image that they speak of."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Press = Callable[..., None]
Greys = Callable[[Page], NDArray[np.uint8]]
Box = tuple[float, float, float, float]


def white_square(greys: NDArray[np.uint8]) -> Box:
    """Left, top, right, bottom of the white square on the screen, CSS px."""
    rows, columns = np.nonzero(greys > 166)  # half way from the ground's 78 to white
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)


def box_of(page: Page, selector: str) -> Box:
    """Left, top, right, bottom of an element, CSS px from the corner of the first view."""
    boxes = page.evaluate(
        "selector => ['.view', selector].map(s => document.querySelector(s).getBoundingClientRect().toJSON())",
        selector,
    )
    left, top = boxes[0]["left"], boxes[0]["top"]
    return boxes[1]["left"] - left, boxes[1]["top"] - top, boxes[1]["right"] - left, boxes[1]["bottom"] - top


def test_heat_map_and_crop_box_are_glued_to_the_image(
    either_page: Page, open_study: Open, press: Press, greys: Greys
) -> None:
    open_study(either_page, "square")
    either_page.locator(".view").focus()
    for keys in ("", "r", "f", "rf", "fr", "rrr", "f-rrr", "+", "rr+f"):
        press(either_page, "0", *keys, *(["ArrowLeft"] if "+" in keys else []))
        seen = white_square(greys(either_page))
        assert box_of(either_page, ".viewer-heat-map") == pytest.approx(seen, abs=1), keys
        assert box_of(either_page, ".viewer-crop-box .line") == pytest.approx(seen, abs=1), keys


def test_overlay_follows_drag_and_wheel(page: Page, open_study: Open, press: Press, greys: Greys) -> None:
    open_study(page, "square")
    press(page, "p")
    page.mouse.move(600, 400)
    page.mouse.wheel(0, -120)
    page.mouse.down()
    page.mouse.move(540, 470, steps=5)
    page.mouse.up()
    seen = white_square(greys(page))
    assert box_of(page, ".viewer-heat-map") == pytest.approx(seen, abs=1)


def test_rotation_is_clockwise_and_flip_is_left_to_right_as_seen(
    either_page: Page, open_study: Open, press: Press, greys: Greys
) -> None:
    def side(screen: NDArray[np.uint8]) -> tuple[str, str]:
        left, top, right, bottom = white_square(screen)
        height, width = screen.shape
        return ("left" if left + right < width else "right", "top" if top + bottom < height else "bottom")

    open_study(either_page, "square")
    assert side(greys(either_page)) == ("right", "top")
    press(either_page, "r")
    assert side(greys(either_page)) == ("right", "bottom")
    press(either_page, "f")
    assert side(greys(either_page)) == ("left", "bottom")
    press(either_page, "r")
    assert side(greys(either_page)) == ("left", "top")


def test_wheel_keeps_the_place_under_the_pointer(page: Page, open_study: Open, greys: Greys) -> None:
    open_study(page, "square")
    left, top, right, _ = white_square(greys(page))
    view = page.locator(".view").bounding_box()
    assert view is not None
    page.mouse.move(view["x"] + left, view["y"] + top)
    page.mouse.wheel(0, -200)
    after = white_square(greys(page))
    assert after[:2] == pytest.approx((left, top), abs=1)
    assert after[2] - after[0] == pytest.approx((right - left) * 1.0015**200, abs=1.5)


def test_heat_map_is_clear_at_zero_and_orange_at_its_peak(page: Page, open_study: Open) -> None:
    open_study(page, "ramp")
    colours = page.locator(".viewer-heat-map").evaluate(
        "c => [[1, 5], [5, 1]].map(([row, column]) => [...c.getContext('2d').getImageData("
        "Math.round((column + 0.5) / 7 * c.width), Math.round((row + 0.5) / 7 * c.height), 1, 1).data])"
    )
    red, green, blue, alpha = colours[0]
    assert alpha >= 250
    assert red > green > blue
    assert colours[1][3] == 0


def test_legend_names_the_class_and_the_coarseness(page: Page, open_study: Open) -> None:
    open_study(page, "ramp")
    expect(page.locator(".viewer-legend")).to_have_text(
        "heat map: evidence for abnormal; coarse, its edges mean nothing"
    )


def test_image_without_evidence_says_so_and_still_shows_its_crop(page: Page, open_study: Open) -> None:
    open_study(page, "unexplained")
    expect(page.locator(".viewer-legend")).to_have_text("heat map: no evidence for either class")
    expect(page.locator(".viewer-heat-map")).to_be_hidden()
    expect(page.locator(".viewer-crop-box .line")).to_be_visible()


def test_locked_viewer_fetches_nothing_of_the_classifier_until_it_is_unlocked(
    page: Page, open_study: Open, press: Press
) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    open_study(page, "ramp", path="locked")
    press(page, "h", "b")
    expect(page.locator("[data-viewer-action=heat-map]")).to_be_disabled()
    assert not any("heat-map" in address for address in addresses)
    page.evaluate("worklistViewer.setHeatMap(true)")
    expect(page.locator(".viewer-heat-map")).to_be_visible()
    expect(page.locator("[data-viewer-action=heat-map]")).to_be_enabled()
    assert any("heat-map" in address for address in addresses)
