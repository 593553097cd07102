"""The list keeps itself up to date, and never moves what the reader is about to open."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, Response, expect

from tests.web.browser.conftest import add, add_flagged, sign_in
from tests.web.conftest import Visitor
from worklist import clock, database
from worklist.tables import Claim, ReadingState, Study, User

pytestmark = pytest.mark.browser


@pytest.fixture
def three_studies(people: None) -> list[int]:
    """Three studies without a flag, the first one waiting longest."""
    return [add(f"N{number}", waiting_minutes=30 - number) for number in range(3)]


def names(page: Page) -> list[str]:
    return page.locator("a.open").all_inner_texts()


def row(page: Page, study_id: int) -> "dict[str, float]":
    """Return the place of a row on the screen."""
    box = page.locator(f'tr[data-study="{study_id}"]').bounding_box()
    assert box is not None
    return {key: round(value, 1) for key, value in box.items()}


def pending(page: Page) -> str:
    return page.locator("#pending span").inner_text()


def test_new_study_appears_by_itself_in_its_place(three_studies: list[int], reader: Page) -> None:
    add_flagged("URGENT^Uwe")

    expect(reader.locator("a.open").first).to_have_text("URGENT, Uwe")

    assert names(reader) == ["URGENT, Uwe", "N0", "N1", "N2"]
    expect(reader.locator("#pending")).to_be_hidden()
    expect(reader.locator("#counts")).to_contain_text("4 waiting")


def test_selected_row_stays_where_it_is_until_the_reader_agrees(three_studies: list[int], reader: Page) -> None:
    reader.keyboard.press("j")
    reader.keyboard.press("j")
    before = row(reader, three_studies[1])

    add_flagged("URGENT^Uwe")
    add("LATE^Lia")
    expect(reader.locator("#pending")).to_be_visible()
    expect(reader.locator("#pending")).to_contain_text("1 new above · 1 new below")

    assert row(reader, three_studies[1]) == before
    assert names(reader) == ["N0", "N1", "N2"]

    reader.keyboard.press(".")
    assert names(reader) == ["URGENT, Uwe", "N0", "N1", "N2", "LATE, Lia"]
    expect(reader.locator("tr[aria-selected=true] a.open")).to_have_text("N1")
    expect(reader.locator("tr[aria-selected=true] a.open")).to_be_focused()
    expect(reader.locator("#pending")).to_be_hidden()


def test_row_under_the_mouse_stays_where_it_is_until_the_mouse_leaves(
    three_studies: list[int], reader: Page
) -> None:
    reader.locator(f'tr[data-study="{three_studies[0]}"] td.part').hover()
    before = row(reader, three_studies[0])

    add_flagged("URGENT^Uwe")
    expect(reader.locator("#pending")).to_contain_text("1 new above")
    assert row(reader, three_studies[0]) == before

    reader.mouse.move(10, 10)
    expect(reader.locator("a.open").first).to_have_text("URGENT, Uwe")


def test_changed_order_is_announced(three_studies: list[int], reader: Page) -> None:
    reader.keyboard.press("j")

    with database.transaction() as session:
        first = session.get_one(Study, three_studies[0])
        session.get_one(Study, three_studies[2]).rank_key = first.rank_key - 1
    expect(reader.locator("#pending")).to_contain_text("order changed")

    assert names(reader) == ["N0", "N1", "N2"]
    reader.locator("#pending").click()
    assert names(reader) == ["N2", "N0", "N1"]


def test_row_is_brought_up_to_date_in_place_while_selected(three_studies: list[int], reader: Page) -> None:
    reader.keyboard.press("j")
    before = row(reader, three_studies[1])

    with database.transaction() as session:
        lena = session.query(User).filter_by(username="lena").one()
        now = clock.now()
        until = now + timedelta(minutes=5)
        session.add(Claim(study_id=three_studies[0], user_id=lena.id, claimed_at=now, expires_at=until))
        session.get_one(Study, three_studies[0]).reading_state = ReadingState.READING
    expect(reader.locator(f'tr[data-study="{three_studies[0]}"]')).to_contain_text("Open: Lena Lead")

    assert row(reader, three_studies[1]) == before
    expect(reader.locator(f'tr[data-study="{three_studies[0]}"] a.open')).to_be_focused()
    expect(reader.locator("#pending")).to_be_hidden()


def test_study_that_somebody_read_is_struck_out_before_it_goes(three_studies: list[int], reader: Page) -> None:
    reader.keyboard.press("j")

    with database.transaction() as session:
        study = session.get_one(Study, three_studies[1])
        study.reading_state, study.is_open = ReadingState.READ, False
    gone = reader.locator(f'tr[data-study="{three_studies[1]}"]')
    expect(gone).to_contain_text("Not in this list any more")
    expect(reader.locator("#pending")).to_contain_text("1 gone")

    reader.keyboard.press(".")
    assert names(reader) == ["N0", "N2"]


def test_nothing_is_sent_while_nothing_changes(three_studies: list[int], reader: Page) -> None:
    with reader.expect_response(lambda answer: "/rows" in answer.url) as polled:
        pass

    assert polled.value.status == 204


def test_lost_connection_is_said_with_the_time_and_ends_by_itself(
    three_studies: list[int], reader: Page
) -> None:
    reader.context.set_offline(True)
    expect(reader.locator("#connection")).to_have_text(
        re.compile(r"^Not connected since \d\d:\d\d, the list may be old$")
    )
    assert names(reader) == ["N0", "N1", "N2"]

    reader.context.set_offline(False)
    expect(reader.locator("#connection")).to_have_text("Live")


def test_session_that_ended_elsewhere_is_said_and_polling_stops(
    three_studies: list[int], reader: Page, sign_in: Callable[[str], Visitor]
) -> None:
    sign_in("rita").submit("/sign-out", everywhere="yes")

    expect(reader.locator("#connection")).to_contain_text("You are signed out, the list is not live.")
    reader.get_by_role("link", name="Sign in again").click()
    expect(reader.get_by_role("heading", name="Sign in")).to_be_visible()


def test_hidden_page_does_not_poll(three_studies: list[int], reader: Page) -> None:
    hide = """hidden => { Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange")); }"""
    reader.evaluate(hide, True)
    polls: list[Response] = []
    reader.on("response", lambda answer: polls.append(answer) if "/rows" in answer.url else None)

    reader.wait_for_timeout(7000)
    assert len(polls) <= 1  # one may have been on its way

    add_flagged("URGENT^Uwe")
    reader.evaluate(hide, False)
    expect(reader.locator("a.open").first).to_have_text("URGENT, Uwe")


def test_waiting_times_go_on_without_the_server(three_studies: list[int], visitor: Page) -> None:
    visitor.clock.install()
    sign_in(visitor)
    waiting = visitor.locator("tr[data-study] td.waiting time").first
    expect(waiting).to_have_text("30 min")

    visitor.context.set_offline(True)
    visitor.clock.fast_forward("40:00")

    expect(waiting).to_have_text("1 h 10")
