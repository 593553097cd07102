"""The list without a mouse, its address, its layouts, and what a screen reader finds."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.factories import make_classifier
from tests.web.browser.conftest import add, add_flagged, try_to_sign_in, violations
from worklist import database
from worklist.tables import BodyPart, ClinicalPriority, ReadingState, Result

pytestmark = pytest.mark.browser


@pytest.fixture
def studies(people: None) -> list[int]:
    """One study of every kind; in the order of the list."""
    with database.transaction() as session:
        make_classifier(session)
    return [
        add_flagged("FLAGGED^Frida", waiting_minutes=20, is_demo_score=True),
        add("STAT^Stella", clinical_priority=ClinicalPriority.STAT, waiting_minutes=2, body_part=BodyPart.HAND),
        add("FAILED^Fritz", result=Result.FAILED, result_reason="No pixels.", waiting_minutes=18),
        add(
            "SCOPE^Sven", result=Result.OUT_OF_SCOPE, result_reason="KNEE.", body_part=None, waiting_minutes=16
        ),
        add("DEFERRED^Dora", probability=0.5, reading_state=ReadingState.DEFERRED, waiting_minutes=14),
        add(
            "LATE^Lia", probability=0.5, warning="A late image arrived.", is_complete=False, waiting_minutes=12
        ),
    ]


def order(page: Page) -> list[int]:
    rows = page.locator("tr[data-study]").all()
    return [int(row.get_attribute("data-study") or 0) for row in rows]


def test_rows_stand_in_rank_order(studies: list[int], reader: Page) -> None:
    shown = order(reader)

    assert sorted(shown) == sorted(studies)
    assert shown[:2] == [studies[1], studies[0]]  # two hours for STAT, then 78 minutes for the probability
    assert shown[2:] == studies[2:]


def test_j_and_k_move_and_enter_opens_the_study(studies: list[int], reader: Page) -> None:
    for key in ("j", "ArrowDown", "j", "k"):
        reader.keyboard.press(key)
    expect(reader.locator("tr[aria-selected=true] a.open")).to_have_text("FLAGGED, Frida")
    expect(reader.locator("tr[aria-selected=true] a.open")).to_be_focused()

    reader.keyboard.press("Enter")

    reader.wait_for_url(f"**/studies/{studies[0]}*", wait_until="commit")


def test_selection_stops_at_both_ends(studies: list[int], reader: Page) -> None:
    reader.keyboard.press("k")
    expect(reader.locator("tr[aria-selected=true] a.open")).to_have_text("LATE, Lia")
    reader.keyboard.press("j")
    expect(reader.locator("tr[aria-selected=true] a.open")).to_have_text("LATE, Lia")

    reader.keyboard.press("Escape")
    expect(reader.locator("tr[aria-selected=true]")).to_have_count(0)


def test_search_by_keyboard_stands_in_the_address(studies: list[int], reader: Page) -> None:
    reader.keyboard.press("/")
    reader.keyboard.type("frida")
    reader.keyboard.press("Escape")
    reader.keyboard.press("/")
    reader.keyboard.type("flagged, fri")
    reader.keyboard.press("Enter")

    reader.wait_for_url("**/?q=flagged*")
    assert order(reader) == [studies[0]]
    reader.reload()
    expect(reader.locator("#search")).to_have_value("flagged, fri")


def test_filters_stand_in_the_address_and_going_back_takes_them_off(studies: list[int], reader: Page) -> None:
    reader.locator("select[name=part]").select_option(label="Hand")
    reader.wait_for_url("**/?part=HAND")
    assert order(reader) == [studies[1]]
    reader.get_by_label("State").select_option(label="Deferred")
    reader.wait_for_url(re.compile(r"/\?(state=deferred&part=HAND|part=HAND&state=deferred)$"))
    expect(reader.get_by_role("heading", name="No study matches")).to_be_visible()

    reader.go_back()
    reader.go_back()

    reader.wait_for_url(re.compile(r"/$"))
    assert len(order(reader)) == len(studies)
    expect(reader.locator("select[name=part]")).to_have_value("")


def test_number_keys_are_the_counts(studies: list[int], reader: Page) -> None:
    reader.keyboard.press("4")

    reader.wait_for_url("**/?result=failed")
    assert order(reader) == [studies[2]]
    reader.keyboard.press("1")
    reader.wait_for_url(re.compile(r"/$"))


def test_n_and_p_turn_pages(people: None, reader: Page) -> None:
    for number in range(60):
        add(f"N{number:02}", waiting_minutes=100 - number)
    expect(reader.locator("a[rel=next]")).to_be_visible()

    reader.keyboard.press("n")
    reader.wait_for_url("**/?after=*&page=2")
    expect(reader.locator("td.number").first).to_have_text("51")
    assert len(order(reader)) == 10

    reader.keyboard.press("p")
    reader.wait_for_url(re.compile(r"/$"))
    expect(reader.locator("td.number").first).to_have_text("1")


def test_question_mark_shows_the_keys_and_escape_closes_them(studies: list[int], reader: Page) -> None:
    reader.keyboard.press("?")
    expect(reader.get_by_role("dialog", name="Keys")).to_be_visible()
    assert violations(reader) == []

    reader.keyboard.press("Escape")
    expect(reader.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_double_click_opens_a_study_and_one_click_selects_it(studies: list[int], reader: Page) -> None:
    cell = reader.locator(f'tr[data-study="{studies[2]}"] td.part')
    cell.click()
    expect(reader.locator("tr[aria-selected=true] a.open")).to_have_text("FAILED, Fritz")

    cell.dblclick()
    reader.wait_for_url(f"**/studies/{studies[2]}*", wait_until="commit")


def test_reader_comes_back_to_the_row_that_was_opened(studies: list[int], reader: Page) -> None:
    reader.keyboard.press("j")
    reader.keyboard.press("j")
    reader.keyboard.press("Enter")
    reader.wait_for_url("**/studies/**", wait_until="commit")

    reader.get_by_role("link", name="Worklist", exact=True).click()

    expect(reader.locator("tr[aria-selected=true] a.open")).to_have_text("FLAGGED, Frida")


@pytest.mark.parametrize("width", [1600, 1280, 900, 800, 400])
def test_every_width_shows_all_without_scrolling_sideways(studies: list[int], reader: Page, width: int) -> None:
    # 800 is a screen of 1600 at 200 per cent.
    reader.set_viewport_size({"width": width, "height": 900})

    overflow = reader.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
    row = reader.locator(f'tr[data-study="{studies[0]}"]')
    for part in ("97%", "DEMO", "Flagged", "FLAGGED, Frida", "Probability 97% is worth", "20 min", "Unread"):
        expect(row.get_by_text(part, exact=False).first).to_be_visible()
    expect(reader.locator(f'tr[data-study="{studies[2]}"]').get_by_text("No pixels.")).to_be_visible()
    assert violations(reader) == []


def test_times_are_those_of_the_reader(studies: list[int], reader: Page) -> None:
    expect(reader.locator("td.why small").first).not_to_contain_text("UTC")
    expect(reader.locator("td.why small time").first).to_have_text(re.compile(r"^(\w+ )?\d\d:\d\d$"))


@pytest.mark.parametrize("address", ["/?q=nobody", "/", "/password", "/no-such-page", "/?part=KNEE"])
def test_other_pages_have_no_barriers(people: None, reader: Page, live_server: str, address: str) -> None:
    reader.goto(live_server + address)

    assert violations(reader) == []


def test_sign_in_page_has_no_barriers_also_after_a_refusal(visitor: Page) -> None:
    assert violations(visitor) == []
    try_to_sign_in(visitor, "not the password")

    expect(visitor.get_by_role("alert")).to_contain_text("do not fit")
    expect(visitor.locator("#password")).to_be_focused()
    assert violations(visitor) == []


def test_a_view_is_kept_and_used_and_columns_chosen_without_the_mouse(reader: Page, live_server: str) -> None:
    add("WRIST", body_part=BodyPart.WRIST)
    add("HAND", body_part=BodyPart.HAND)
    reader.goto(f"{live_server}/?part=HAND")
    reader.keyboard.press("v")
    reader.get_by_label("Keep these filters as").focus()
    reader.keyboard.type("Hands")
    reader.keyboard.press("Enter")
    expect(reader.get_by_role("status").filter(has_text="View 'Hands' is kept.")).to_be_visible()

    reader.goto(f"{live_server}/")
    expect(reader.locator("tr[data-study]")).to_have_count(2)
    reader.keyboard.press("v")
    assert violations(reader) == []
    # The first thing in the dialog has the focus.
    reader.keyboard.press("Enter")
    reader.wait_for_url("**/?part=HAND")
    expect(reader.locator("tr[data-study]")).to_have_count(1)

    reader.keyboard.press("c")
    assert violations(reader) == []
    reader.keyboard.press("Tab")
    reader.keyboard.press("Space")
    reader.keyboard.press("Enter")
    expect(reader.get_by_role("columnheader", name="Accession number")).to_be_visible()
    expect(reader.get_by_role("columnheader", name="Why here")).to_be_visible()
