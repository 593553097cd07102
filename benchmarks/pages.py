"""How long a reader waits: for the first list of a day, and for the next study after a verdict.

    .venv/bin/python -m benchmarks.pages

Starts a demo of its own. *First list*: a browser that was never there before signs in; first contentful
paint as it measures that itself. *Next study*: from the key Enter to the moment when every image of the
next study is painted; the verdict is stored in between. The images are those of the demo, painted without a
GPU.
"""

import shutil
import statistics

from playwright.sync_api import Browser, Page, sync_playwright

from deploy.screenshots import READY, demo, signed_in
from worklist.demo.preparation import free_port

LISTS, STUDIES = 7, 15
ASIDE_MS = 1500  # a reader looks at a study at least this long, and the next ones are fetched meanwhile
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
LISTEN = """addEventListener('keydown', ({ key }) => {
  if (key === 'Enter') window.pressedAt = performance.now();
}, true)"""
SHOWN = """(before) => {
  const views = [...document.querySelectorAll('#study .view')];
  const isThere = document.querySelector('#study').dataset.study !== before && views.length > 0
    && views.every(({ dataset }) => dataset.state === 'ready');
  return isThere ? performance.now() - window.pressedAt : false;
}"""


def main() -> None:
    """Measure and print."""
    web = free_port()
    with demo(web) as password, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tell("first list, cold", [first_list_ms(browser, web, password) for _ in range(LISTS)])
        page = signed_in(browser.new_page(viewport={"width": 1600, "height": 900}), web, "rita", password)
        page.goto(f"http://127.0.0.1:{web}/studies/next")
        page.wait_for_selector(READY)
        page.evaluate(LISTEN)
        tell("next study, warm", [next_study_ms(page) for _ in range(STUDIES)])
        browser.close()


def first_list_ms(browser: Browser, web: int, password: str) -> float:
    page = signed_in(browser.new_page(), web, "rita", password)
    found: float = page.evaluate(PAINT)
    page.context.close()
    return found


def next_study_ms(page: Page) -> float:
    page.wait_for_timeout(ASIDE_MS)
    before = page.locator("#study").get_attribute("data-study")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    found: float = page.wait_for_function(SHOWN, arg=before, polling="raf").json_value()
    return found


def tell(name: str, milliseconds: list[float]) -> None:
    worst, median = max(milliseconds), statistics.median(milliseconds)
    print(f"{name:18} {median:6.0f} ms median, {worst:6.0f} ms worst of {len(milliseconds)}", flush=True)


if __name__ == "__main__":
    main()
