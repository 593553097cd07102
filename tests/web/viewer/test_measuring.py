"""Tools under the mouse: lengths say what they are, nothing is lost without WebGL."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Press = Callable[..., None]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float], *, release: bool = True) -> None:
    """Drag with the left button; positions in CSS px from the corner of the first view."""
    box = page.locator(".view").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + start[0], box["y"] + start[1])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0], box["y"] + end[1], steps=5)
    if release:
        page.mouse.up()


@pytest.mark.parametrize(
    ("instance", "millimetres", "text"),
    [("ramp", 1, "{:.0f} px"), ("detector", 0.2, "{:.1f} mm at detector"), ("calibrated", 0.2, "{:.1f} mm")],
)
def test_length_claims_millimetres_only_where_the_spacing_is_known(
    page: Page, open_study: Open, press: Press, instance: str, millimetres: float, text: str
) -> None:
    open_study(page, instance)
    scale = page.locator(".viewer-layer").evaluate("e => new DOMMatrix(getComputedStyle(e).transform).a")
    press(page, "l")
    drag(page, (500, 300), (700, 300))
    expect(page.locator(".svg-layer text")).to_have_text(text.format(200 / scale * millimetres))


def test_angle_is_measured_and_deleted(page: Page, open_study: Open, press: Press) -> None:
    open_study(page, "ramp")
    press(page, "a")
    drag(page, (500, 300), (700, 300))
    drag(page, (650, 300), (700, 500))
    expect(page.locator(".svg-layer text")).to_have_text("90.0°")
    press(page, "Delete")
    expect(page.locator(".svg-layer text")).to_have_count(0)


def test_left_drag_changes_the_window_and_reset_restores_it(
    either_page: Page, open_study: Open, press: Press
) -> None:
    open_study(either_page, "ramp")
    drag(either_page, (500, 300), (560, 330))
    expect(either_page.locator(".viewer-window")).not_to_contain_text("W 30000  C 20000")
    press(either_page, "0")
    expect(either_page.locator(".viewer-window")).to_contain_text("W 30000  C 20000")


def test_magnifier_shows_a_lens_while_the_button_is_down(
    either_page: Page, open_study: Open, press: Press
) -> None:
    errors: list[str] = []
    either_page.on("pageerror", lambda error: errors.append(str(error)))
    open_study(either_page, "square")
    press(either_page, "m")
    drag(either_page, (500, 300), (560, 330), release=False)
    expect(either_page.locator(".magnifyTool canvas")).to_be_visible()
    either_page.mouse.up()
    expect(either_page.locator(".magnifyTool")).to_have_count(0)
    assert errors == []


def test_measurement_stays_with_its_image(page: Page, open_study: Open, press: Press) -> None:
    open_study(page, "ramp")
    press(page, "l")
    drag(page, (500, 300), (700, 300))
    expect(page.locator(".svg-layer text")).to_have_count(1)
    sources = {
        name: f"[{{instance: '{name}', label: '', metaUrl: '/instances/{name}/display.json',"
        f" pixelsUrl: '/instances/{name}/pixels'}}]"
        for name in ("ramp", "square")
    }
    page.evaluate(f"worklistViewer.showStudy({sources['square']})")
    expect(page.locator(".svg-layer text")).to_have_count(0)
    page.evaluate(f"worklistViewer.showStudy({sources['ramp']})")
    expect(page.locator(".svg-layer text")).to_have_count(1)
