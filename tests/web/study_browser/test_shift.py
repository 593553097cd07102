"""A shift: forty studies arrive over DICOM while two readers work and a third looks at the list."""

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select

from tests.ports import free_port
from tests.system.stack import Stack, wait_until
from tests.web.study_browser.conftest import READY, press
from worklist import accounts, database, settings
from worklist.synthetic.dataset import make_study
from worklist.tables import AuditEvent, Opinion, ReadingState, Role, Study, User, Verdict

pytestmark = [pytest.mark.browser, pytest.mark.system, pytest.mark.timeout(600)]

STUDIES = 40
PARTS = ("WRIST", "HAND", "ELBOW", "SHOULDER")
PROGRAMS = ("broker", "receiver", "inference", "background", "scheduler", "web")
PASSWORD = "two readers share one list"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A whole site of real processes, with a web server."""
    before = dict(os.environ)
    for name in ("RECEIVER", "WEB", "FLOWER"):
        os.environ[f"WORKLIST_{name}_PORT"] = str(free_port())
    os.environ.update(WORKLIST_MINIMUM_FREE_BYTES="0", WORKLIST_QUIET_SECONDS="3", WORKLIST_SWEEP_SECONDS="1")
    site = Stack(tmp_path / "site", PROGRAMS)
    with database.transaction() as session:
        for username in ("rosa", "otto", "lola"):
            accounts.create_user(
                session,
                username=username,
                display_name=username.capitalize(),
                password=PASSWORD,
                role=Role.LEAD if username == "lola" else Role.READER,
                must_change_password=False,
            )
    site.start()
    yield site
    site.stop()
    os.environ.clear()
    os.environ.update(before)
    database.forget_engine()
    settings.current.cache_clear()


class Modality(threading.Thread):
    """Sends one study after the other, as rooms do: sometimes two at once, sometimes none for a while."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        super().__init__(daemon=True)
        self.stack = stack
        self.folder = folder
        self.failed: list[str] = []

    def run(self) -> None:
        for number in range(STUDIES):
            paths = []
            lesion = "break" if number % 3 == 0 else None
            datasets = make_study(PARTS[number % 4], seed=900 + number, lesion=lesion, size=(500, 400))
            for index, dataset in enumerate(datasets):
                path = self.folder / f"{number}-{index}.dcm"
                dataset.save_as(path, enforce_file_format=True)
                paths.append(path)
            sent = self.stack.send(*paths)
            if sent.returncode:
                self.failed.append(sent.stdout + sent.stderr)
            time.sleep((0, 0.5, 2)[number % 3])


class Reader:
    """Somebody at a workstation with a keyboard."""

    def __init__(self, context: BrowserContext, username: str) -> None:
        self.username = username
        self.page = context.new_page()
        self.page.goto("/sign-in")
        self.page.get_by_label("User name").fill(username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/")
        self.read = 0
        self.warnings: list[str] = []

    def step(self) -> bool:
        """Read the study on the screen, or ask for the next one; say whether there was one."""
        if not self.page.locator("#study").count():
            self.page.goto("/studies/next")
        if not self.page.locator("#study").count():
            return False
        expect(self.page.locator(READY)).to_be_visible()
        before = self.page.locator("#study").get_attribute("data-study")
        press(self.page, "2" if self.read % 3 else "1", "Enter")
        # The next study, or the page that says that none is left, or a warning: another image came meanwhile.
        self.page.wait_for_function(
            "before => document.querySelector('#study')?.dataset.study !== before"
            " || document.querySelector('#alert button')",
            arg=before,
        )
        if self.page.locator("#study").count() and self.page.locator("#alert button").count():
            self.warnings.append(self.page.locator("#alert p").inner_text())
            press(self.page, "g")
            expect(self.page.locator("#alert")).to_be_empty()
            return True
        self.read += 1
        return True


class Onlooker:
    """A lead who stands at a row of the list: nothing above or below it may move."""

    def __init__(self, reader: Reader) -> None:
        self.page: Page = reader.page
        self.page.goto("/")
        self.jumped: list[str] = []
        self.announced: set[str] = set()
        self.standing: list[str] = []

    def look(self) -> None:
        """Compare the rows with those of the look before."""
        if not self.standing:
            if self.page.locator("tr[data-study]").count() < 3:
                return
            press(self.page, "j", "j")
            expect(self.page.locator("tr[aria-selected=true]")).to_have_count(1)
            self.standing = self._rows()
        now = self._rows()
        if now != self.standing:
            self.jumped.append(f"{self.standing} became {now}")
            self.standing = now
        pending = self.page.locator("#pending")
        if pending.is_visible():
            self.announced.add(pending.inner_text())

    def take_over(self) -> None:
        """Press the key that takes the news over, and stand at a row again: the last one may have been read."""
        press(self.page, ".", "Escape")
        self.standing = []

    def _rows(self) -> list[str]:
        rows = "[...document.querySelectorAll('tr[data-study]')]"
        found: list[str] = self.page.evaluate(f"{rows}.map(row => `${{row.dataset.study}}@${{row.offsetTop}}`)")
        return found


@pytest.fixture
def workstations(browser: Browser, stack: Stack) -> Iterator[list[Reader]]:
    address = f"http://127.0.0.1:{stack.current.web_port}"
    wait_until(lambda: _is_up(stack.current.web_port), "the web server answers")
    contexts = [
        browser.new_context(base_url=address, viewport={"width": 1280, "height": 800}) for _ in range(3)
    ]
    yield [Reader(context, name) for context, name in zip(contexts, ("rosa", "otto", "lola"), strict=True)]
    for context in contexts:
        context.close()


def _is_up(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_forty_studies_are_each_read_once_and_no_row_jumps(
    stack: Stack, workstations: list[Reader], tmp_path: Path
) -> None:
    rosa, otto, lola = workstations
    onlooker = Onlooker(lola)
    folder = tmp_path / "files"
    folder.mkdir()
    modality = Modality(stack, folder)
    modality.start()
    deadline, looks = time.monotonic() + 500, 0
    while rosa.read + otto.read < STUDIES:
        assert time.monotonic() < deadline, f"after {rosa.read} and {otto.read} studies"
        busy = [reader.step() for reader in (rosa, otto)]
        onlooker.look()
        looks += 1
        if looks % 12 == 0:
            onlooker.take_over()
        if not any(busy):
            time.sleep(0.5)
    modality.join(60)

    assert modality.failed == []
    assert not rosa.step()
    assert not otto.step()
    assert min(rosa.read, otto.read) >= STUDIES // 4
    assert all("new image" in words.lower() for words in rosa.warnings + otto.warnings)
    assert onlooker.jumped == []
    assert any("new" in words for words in onlooker.announced)
    _check_rows({"rosa": rosa.read, "otto": otto.read})


def _check_rows(read_by: dict[str, int]) -> None:
    """Each study has one verdict, and the audit stream tells the same story."""
    with database.reading() as session:
        studies = session.scalars(select(Study)).all()
        assert len(studies) == STUDIES
        assert {study.reading_state for study in studies} == {ReadingState.READ}
        given = session.execute(
            select(Verdict.study_id, User.username, Verdict.opinion).join(User, User.id == Verdict.user_id)
        ).all()
        assert Counter(row.study_id for row in given) == Counter({study.id: 1 for study in studies})
        assert Counter(row.username for row in given) == Counter(read_by)
        assert {row.opinion for row in given} == {Opinion.NORMAL, Opinion.ABNORMAL}
        events = session.scalars(
            select(AuditEvent).where(AuditEvent.about_type == "study").order_by(AuditEvent.id)
        ).all()
    told = {(event.about_id, event.who) for event in events if event.action == "study.read"}
    assert told == {(row.study_id, row.username) for row in given}
    for study_id, who in told:
        way = [event.action for event in events if event.about_id == study_id and event.who == who]
        assert way.index("study.claimed") < way.index("study.opened") < way.index("verdict.given")
        assert way.count("study.read") == 1
