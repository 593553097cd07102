"""A page with the viewer and nothing else, served under the product's content security policy."""

import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask, Response, jsonify, send_from_directory
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, ViewportSize, expect
from werkzeug.serving import make_server

BUNDLE = Path(__file__).parents[3] / "web" / "static" / "viewer"
CHROMIUM = Path("/usr/bin/chromium")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
COMMON_ARGS = ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-sync"]
SOFTWARE_WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
WINDOW: ViewportSize = {"width": 1200, "height": 800}  # CSS px
NO_WEBGL = ["--disable-gpu", "--disable-software-rasterizer", "--disable-3d-apis"]
BUTTONS = ("heat-map", "crop-box", "invert", "rotate", "flip", "reset", "window", "zoom", "length", "angle")

# Long enough for a change to be asked for, rendered and copied to the canvas.
PAINTED = (
    "() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(r))))"
)

# Set attributes of the root and return what they were.
SWITCH = "(root, to) => { const was = { ...root.dataset }; Object.assign(root.dataset, to); return was; }"

expect.set_options(timeout=15_000)  # a busy machine paints slowly

# Instances of the test: rows, columns, and what makes each one particular.
ROWS, COLUMNS = 500, 400
CROP = {
    "top": 100,
    "left": 50,
    "height": 300,
    "width": 280,
}  # of every instance but "square", where it is the square
SQUARE = {"top": 120, "left": 260, "height": 40, "width": 40}  # off the middle, so that no turn hides an error


def ramp() -> NDArray[np.uint16]:
    """Greys rising by 100 a column from 1000, the same in all rows."""
    return np.broadcast_to(1000 + 100 * np.arange(COLUMNS), (ROWS, COLUMNS)).astype("<u2")


def square() -> NDArray[np.uint16]:
    """A white square on a grey ground."""
    pixels = np.full((ROWS, COLUMNS), 20000, "<u2")
    top, left = SQUARE["top"], SQUARE["left"]
    pixels[top : top + SQUARE["height"], left : left + SQUARE["width"]] = 65535
    return pixels


PIXELS: dict[str, Callable[[], NDArray[np.uint16]]] = {
    "ramp": ramp, "square": square, "detector": ramp, "calibrated": ramp, "unexplained": square,
    "short": lambda: ramp()[:-1],
}  # fmt: skip
SPACING = {"detector": ([0.2, 0.2], "detector"), "calibrated": ([0.2, 0.2], "calibrated")}


def display(name: str) -> dict[str, Any]:
    """display.json of an instance."""
    spacing, kind = SPACING.get(name, (None, None))
    return {
        "rows": ROWS, "columns": COLUMNS, "minimum": 0, "maximum": 65535, "notes": ["VOI LUT applied"],
        "window_centre": 20000 if name == "ramp" else 32768, "window_width": 30000 if name == "ramp" else 65536,
        "pixel_spacing_mm": spacing, "spacing_kind": kind,
    }  # fmt: skip


def heat_map(name: str) -> dict[str, Any]:
    """heat-map.json: all evidence in the cell of row 1, column 5 of 7."""
    if name == "unexplained":
        return {"rows": 7, "columns": 7, "values": None, "crop": CROP, "explained_class": None,
                "reason": "no evidence for either class"}  # fmt: skip
    values = np.zeros((7, 7))
    values[1, 5] = 1
    crop = SQUARE if name == "square" else CROP
    return {"rows": 7, "columns": 7, "values": values.ravel().tolist(), "crop": crop,
            "explained_class": "abnormal", "reason": None}  # fmt: skip


def view(name: str) -> str:
    return (
        f'<div class="view" tabindex="0" data-instance="{name}" data-label="{name} · R"'
        f' data-meta-url="/instances/{name}/display.json" data-pixels-url="/instances/{name}/pixels"'
        f' data-heat-map-url="/instances/{name}/heat-map.json"></div>'
    )


def page_of(names: list[str], attributes: str) -> str:
    buttons = "".join(f'<button type="button" data-viewer-action="{b}">{b}</button>' for b in BUTTONS)
    return (
        '<!doctype html><html lang="en"><head><title>Viewer</title><link rel="icon" href="/icon">'
        '<link rel="stylesheet" href="/static/viewer.css"><link rel="stylesheet" href="/page.css"></head><body>'
        f'<header><h1>Study</h1></header><nav aria-label="Tools">{buttons}'
        '<label>Opacity <input type="range" data-viewer-opacity min="0" max="100"></label>'
        '<label>Comment <input id="comment"></label></nav>'
        f'<main data-viewer data-state="loading" {attributes}>{"".join(map(view, names))}</main>'
        '<script type="module" src="/static/viewer.js"></script></body></html>'
    )


def make_site() -> Flask:
    app = Flask(__name__, static_folder=None)
    app.after_request(
        lambda response: response.headers.setdefault("Content-Security-Policy", POLICY) and response
    )
    app.add_url_rule(
        "/static/<path:name>", "bundle", lambda name: send_from_directory(BUNDLE, name, max_age=3600)
    )
    app.add_url_rule("/icon", "icon", lambda: Response(status=204))

    @app.get("/page.css")
    def style() -> Response:
        css = "body { margin: 0; background: #14171b; color: #eee; display: flex; flex-direction: column;"
        return Response(css + " height: 100vh } main { flex: 1 } h1 { font-size: 1rem }", mimetype="text/css")

    @app.get("/study/<names>")
    def study(names: str) -> str:
        return page_of(names.split(","), "")

    @app.get("/locked/<names>")
    def locked(names: str) -> str:
        return page_of(names.split(","), 'data-heat-map="locked"')

    @app.get("/keys/<names>")
    def own_keys(names: str) -> str:
        return page_of(names.split(","), """data-keys='{"invert": "x"}'""")

    @app.get("/instances/<name>/display.json")
    def display_json(name: str) -> Response | tuple[Response, int]:
        if name not in PIXELS:
            return jsonify(error="the file is damaged."), 422
        return jsonify(display(name))

    @app.get("/instances/<name>/pixels")
    def pixels(name: str) -> Response | tuple[Response, int]:
        if name not in PIXELS:
            return jsonify(error="the file is damaged."), 422
        return Response(PIXELS[name]().tobytes(), mimetype="application/octet-stream")

    @app.get("/instances/<name>/heat-map.json")
    def heat_map_json(name: str) -> Response:
        return jsonify(heat_map(name))

    return app


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """Address of the page's server."""
    if not (BUNDLE / "viewer.js").exists():
        pytest.fail("web/static/viewer/viewer.js is missing: `make setup` builds it.")
    server = make_server("127.0.0.1", 0, make_site(), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def base_url() -> str:
    """Replace the fixture of pytest-base-url, whose form pytest 9 warns about."""
    return ""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Run the system's Chromium with WebGL in software; Playwright's own download is not used."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing: install the chromium package; `make setup` says how.")
    args = [*COMMON_ARGS, *SOFTWARE_WEBGL]
    return {**browser_type_launch_args, "executable_path": str(CHROMIUM), "args": args}


@pytest.fixture(scope="session")
def with_webgl(browser: Browser) -> Iterator[BrowserContext]:
    """Return one context for all pages, which then fetch and compile the bundle only once."""
    context = browser.new_context(viewport=WINDOW)
    yield context
    context.close()


@pytest.fixture(scope="session")
def without_webgl(
    browser_type: BrowserType, browser_type_launch_args: dict[str, Any]
) -> Iterator[BrowserContext]:
    """Return a context in which Cornerstone has to paint on the CPU."""
    browser = browser_type.launch(**{**browser_type_launch_args, "args": [*COMMON_ARGS, *NO_WEBGL]})
    yield browser.new_context(viewport=WINDOW)
    browser.close()


@pytest.fixture
def page(with_webgl: BrowserContext) -> Iterator[Page]:
    page = with_webgl.new_page()
    yield page
    page.close()


@pytest.fixture(params=["with_webgl", "without_webgl"])
def either_page(request: pytest.FixtureRequest) -> Iterator[Page]:
    """Return a page with WebGL, then one without."""
    page = request.getfixturevalue(request.param).new_page()
    yield page
    page.close()


@pytest.fixture
def open_study(site: str) -> Callable[..., Page]:
    """Open instances by name in a page and wait until they are painted."""

    def open_(page: Page, names: str, *, path: str = "study", state: str = "ready") -> Page:
        page.goto(f"{site}/{path}/{names}", wait_until="commit")
        expect(page.locator("[data-viewer]")).to_have_attribute("data-state", state, timeout=90_000)
        return page

    return open_


@pytest.fixture
def press() -> Callable[..., None]:
    """Press keys and wait until Cornerstone has painted what follows from them."""

    def press_(page: Page, *keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)
        page.evaluate(PAINTED)

    return press_


@pytest.fixture
def greys() -> Callable[[Page], NDArray[np.uint8]]:
    """Return the first view as the screen shows it, without words, overlays and the frame of the focus."""

    def greys_(page: Page) -> NDArray[np.uint8]:
        page.evaluate(PAINTED)
        switches = page.locator("[data-viewer]").evaluate(
            SWITCH, {"text": "off", "heatMap": "off", "cropBox": "off"}
        )
        png = page.locator(".view").first.screenshot()
        page.locator("[data-viewer]").evaluate(SWITCH, switches)
        screen = np.array(Image.open(io.BytesIO(png)).convert("L"))
        screen[:3] = screen[-3:] = screen[:, :3] = screen[:, -3:] = 0
        return screen

    return greys_
