"""Take the pictures of README and docs from a demo that it starts, and stop it again.

    .venv/bin/python deploy/screenshots.py

Needs what ``deploy/setup test`` installs. Writes ``docs/images/*.png``.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from worklist.demo.preparation import free_port

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH, HEIGHT = 1440, 860
READY = "[data-viewer][data-state=ready]"
PATIENCE_MS = 120_000


def main() -> None:
    """Start the demo, take every picture."""
    web = free_port()
    with demo(web) as password, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = signed_in(browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}), web, "rita", password)
        take_list(page)
        take_study(page)
        take_keys(page)
        page.context.close()
        page = signed_in(browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}), web, "adam", password)
        page.goto(f"http://127.0.0.1:{web}/admin/ranking")
        keep(page, "ranking")
        browser.close()


def take_list(page: Page) -> None:
    """Take the list with its first row selected."""
    page.keyboard.press("j")
    keep(page, "worklist")


def take_study(page: Page) -> None:
    """Take the first study with heat map, crop box and a verdict chosen."""
    page.keyboard.press("Enter")
    page.wait_for_selector(READY)
    page.keyboard.press("h")
    page.keyboard.press("b")
    page.keyboard.press("2")
    page.wait_for_timeout(2000)  # the heat map is fetched and painted
    keep(page, "study")


def take_keys(page: Page) -> None:
    """Take the map of keys."""
    page.keyboard.press("?")
    keep(page, "keys")
    page.keyboard.press("Escape")


def keep(page: Page, name: str) -> None:
    """Store what the page shows, in 256 colours: a third of the size, and nobody sees the difference."""
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"  {path.relative_to(IMAGES.parents[1])}  {path.stat().st_size // 1000} kB")


def signed_in(page: Page, web: int, name: str, password: str) -> Page:
    """Give a page on which somebody has signed in, with the list in it."""
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"http://127.0.0.1:{web}/sign-in")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_selector("#filters[data-live]", state="attached")
    return page


@contextmanager
def demo(web: int) -> Iterator[str]:
    """Run a demo with an empty list of its own until everything is ranked; give the password."""
    ports = {
        "WORKLIST_WEB_PORT": web,
        "WORKLIST_RECEIVER_PORT": free_port(),
        "WORKLIST_FLOWER_PORT": free_port(),
    }
    environment = {**os.environ, **{name: str(port) for name, port in ports.items()}, "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "worklist", "demo", "--data", f"{folder}/demo"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            said = ""
            for line in process.stdout:
                said += line
                if "Ctrl-C stops everything" in line:
                    break
            else:
                sys.exit(f"the demo ended:\n{said}")
            yield said.split("password ")[1].split()[0]
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()


if __name__ == "__main__":
    main()
