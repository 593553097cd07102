"""What the page may call, and what it is told when an image fails."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Open = Callable[..., Page]


def sources(*names: str) -> str:
    """JavaScript text of a study's sources."""
    return "[" + ",".join(
        f"{{instance: '{n}', label: '{n}', metaUrl: '/instances/{n}/display.json', "
        f"pixelsUrl: '/instances/{n}/pixels', heatMapUrl: '/instances/{n}/heat-map.json'}}"
        for n in names
    ) + "]"  # fmt: skip


def test_failing_image_says_why_and_the_others_work(page: Page, open_study: Open) -> None:
    open_study(page, "broken,square,short")
    errors = page.locator(".view [role=alert]")
    expect(errors.nth(0)).to_have_text("This image could not be shown: the file is damaged.")
    expect(errors.nth(1)).to_contain_text("the pixels received do not make 400 × 500 values")
    expect(page.locator(".view[data-state=ready]")).to_have_count(1)


def test_study_of_which_nothing_can_be_shown_is_an_error(page: Page, open_study: Open) -> None:
    open_study(page, "broken", state="error")
    expect(page.locator("[data-viewer]")).to_have_attribute("data-error", "the file is damaged.")


def test_failed_image_can_be_tried_again(page: Page, open_study: Open, site: str) -> None:
    page.route("**/instances/square/pixels", lambda route: route.abort())
    open_study(page, "square", state="error")
    expect(page.locator("[role=alert]")).to_contain_text("there is no connection to the server.")
    page.unroute("**/instances/square/pixels")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".view")).to_have_attribute("data-state", "ready")
    expect(page.locator("[data-viewer]")).to_have_attribute("data-state", "ready")


def test_ended_session_asks_to_sign_in(page: Page, open_study: Open) -> None:
    page.route("**/display.json", lambda route: route.fulfill(content_type="text/html", body="<p>Sign in</p>"))
    open_study(page, "square", state="error")
    expect(page.locator("[role=alert]")).to_contain_text("please sign in again.")


@pytest.mark.parametrize("names", [("ramp",), ("ramp", "detector", "calibrated")])
def test_next_study_replaces_the_images_without_a_reload(
    page: Page, open_study: Open, names: tuple[str, ...]
) -> None:
    open_study(page, "square,ramp")
    page.evaluate("document.body.dataset.kept = 'yes'")
    result = page.evaluate(f"worklistViewer.showStudy({sources(*names)})")
    assert result == {"shown": len(names), "failures": []}
    expect(page.locator(".view")).to_have_count(len(names))
    expect(page.locator(".viewer-label").first).to_have_text("ramp")
    expect(page.locator("body")).to_have_attribute("data-kept", "yes")


def test_study_asked_for_last_is_the_one_shown(page: Page, open_study: Open) -> None:
    open_study(page, "square")
    first, last = sources("detector"), sources("ramp", "calibrated")
    page.evaluate(f"worklistViewer.showStudy({first}); worklistViewer.showStudy({last})")
    expect(page.locator("[data-viewer]")).to_have_attribute("data-state", "ready")
    expect(page.locator(".viewer-label")).to_have_text(["ramp", "calibrated"])
    expect(page.locator(".viewer-window").first).to_contain_text("W 30000")


def test_preloaded_study_is_shown_without_asking_for_pixels_again(page: Page, open_study: Open) -> None:
    open_study(page, "square")
    page.evaluate(f"worklistViewer.preload({sources('ramp', 'broken')})")
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.evaluate(f"worklistViewer.showStudy({sources('ramp')})")
    expect(page.locator(".viewer-label")).to_have_text("ramp")
    assert not any(address.endswith("/pixels") for address in addresses)


def test_visible_tells_what_the_reader_saw(page: Page, open_study: Open) -> None:
    open_study(page, "ramp")
    page.evaluate("worklistViewer.setOpacity(0.3)")
    assert page.evaluate("worklistViewer.visible()") == {"heat_map": True, "crop_box": True, "opacity": 0.3}
    page.evaluate("worklistViewer.setHeatMap(false)")
    assert page.evaluate("worklistViewer.visible()")["heat_map"] is False


def test_ready_is_announced_with_the_instances(page: Page, open_study: Open) -> None:
    open_study(page, "ramp")
    page.evaluate("addEventListener('viewer:ready', e => { document.title = e.detail.instances.join() })")
    page.evaluate(f"worklistViewer.showStudy({sources('square', 'ramp')})")
    expect(page).to_have_title("square,ramp")


def test_destroyed_viewer_leaves_no_interface(page: Page, open_study: Open) -> None:
    open_study(page, "ramp")
    page.evaluate("worklistViewer.destroy()")
    assert page.evaluate("typeof worklistViewer") == "undefined"
    expect(page.locator(".view")).to_have_count(0)


@pytest.mark.parametrize("names", ["square,ramp", "square,broken"])
def test_page_has_no_accessibility_violation(page: Page, open_study: Open, names: str) -> None:
    open_study(page, names)
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
