"""Two readers and one study: one has it, the other is told by whom."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from tests.web.study_browser.conftest import READY, Open, go, press
from worklist import database
from worklist.reading import claims
from worklist.tables import Claim, ReadingState, Study

pytestmark = pytest.mark.browser


def let_the_page_renew(page: Page) -> None:
    """Do what the page's timer does, without waiting for a third of the lease."""
    page.clock.run_for(110_000)


def state(study: Study) -> ReadingState:
    with database.reading() as session:
        return session.get_one(Study, study.id).reading_state


def eventually(is_so: Callable[[], bool]) -> None:
    """Wait for what a page asks for while it is closed, of which the browser tells nothing."""
    for _ in range(50):
        if is_so():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen within five seconds")


def holder(study: Study) -> int | None:
    with database.reading() as session:
        found = claims.holder(session, study.id)
        return found.user_id if found else None


def test_of_two_readers_one_gets_the_study_and_the_other_is_told_by_whom(
    workstation: Open, five_studies: list[Study]
) -> None:
    study = five_studies[0]
    rita, lena = workstation("rita"), workstation("lena")
    go(rita, f"/studies/{study.id}")
    go(lena, f"/studies/{study.id}")
    expect(lena.get_by_role("heading", name="Open since")).to_contain_text("by Rita Reader.")
    expect(lena.get_by_role("radio")).to_have_count(0)
    expect(rita.locator("[name=opinion]")).to_have_count(3)


def test_two_readers_who_press_next_get_two_studies(workstation: Open, five_studies: list[Study]) -> None:
    rita, lena = workstation("rita"), workstation("lena")
    go(rita, "/studies/next")
    go(lena, "/studies/next")
    expect(rita.get_by_role("heading", level=1)).to_have_text("SYNTHETIC, Number1")
    expect(lena.get_by_role("heading", level=1)).to_have_text("SYNTHETIC, Number2")


def test_taking_over_tells_the_reader_who_had_it_and_saves_nothing_of_theirs(
    workstation: Open, five_studies: list[Study]
) -> None:
    study = five_studies[0]
    rita, lena = workstation("rita"), workstation("lena")
    rita.clock.install()
    go(rita, f"/studies/{study.id}")
    go(lena, f"/studies/{study.id}")
    press(lena, "t")
    expect(lena.locator("[name=opinion]")).to_have_count(3)
    let_the_page_renew(rita)
    expect(rita.locator("#alert")).to_contain_text("Lena Lead took this study over at")
    press(rita, "2", "Enter")
    expect(rita.locator("#alert")).to_contain_text("by Lena Lead.")
    assert state(study) is ReadingState.READING
    rita.get_by_role("button", name="Show the study as it is now").click()
    expect(rita.get_by_role("heading", name="Open since")).to_contain_text("by Lena Lead.")


def test_an_open_page_keeps_its_claim(workstation: Open, five_studies: list[Study]) -> None:
    page = workstation("rita")
    page.clock.install()
    go(page, f"/studies/{five_studies[0].id}")
    with database.transaction() as session:
        session.execute(update(Claim).values(expires_at=Claim.claimed_at))
    with page.expect_response("**/renew"):
        let_the_page_renew(page)
    with database.reading() as session:
        found = claims.holder(session, five_studies[0].id)
        assert found is not None
        assert found.expires_at > found.claimed_at


def test_escape_gives_the_study_back(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    assert state(five_studies[0]) is ReadingState.READING
    press(page, "Escape")
    expect(page.get_by_role("link", name="SYNTHETIC, Number1")).to_be_visible()
    assert state(five_studies[0]) is ReadingState.UNREAD


def test_leaving_the_page_gives_the_study_back(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    page.get_by_role("link", name="Worklist").click()
    expect(page.get_by_role("link", name="SYNTHETIC, Number1")).to_be_visible()
    eventually(lambda: holder(five_studies[0]) is None)


def test_reloading_keeps_the_study(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    page.reload()
    expect(page.locator(READY)).to_be_visible()
    page.wait_for_timeout(
        1000
    )  # the goodbye of the page before comes last, and the browser tells nothing of it
    assert holder(five_studies[0]) is not None


def test_a_late_image_is_announced_and_its_study_not_closed_without_it(
    workstation: Open, five_studies: list[Study]
) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    with database.transaction() as session:
        session.get_one(Study, five_studies[0].id).content_version += 1
    press(page, "2", "e")
    page.keyboard.type("seen")
    press(page, "Control+Enter")
    expect(page.locator("#alert")).to_contain_text("A new image came at")
    page.get_by_role("button", name="Show the study as it is now").click()
    expect(page.locator("#alert")).to_be_empty()
    expect(page.get_by_label("Abnormal")).to_be_checked()
    expect(page.get_by_label("Note")).to_have_value("seen")
    press(page, "Escape", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("SYNTHETIC, Number2")


def test_a_session_that_ended_loses_nothing(
    workstation: Open, five_studies: list[Study], live_server: str
) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    cookies = page.context.cookies()
    press(page, "2", "e")
    page.keyboard.type("keep this")
    page.context.clear_cookies()
    press(page, "Control+Enter")
    expect(page.locator("#alert")).to_contain_text("Your session has ended.")
    expect(page.get_by_label("Note")).to_have_value("keep this")
    page.context.add_cookies(cookies)
    press(page, "Control+Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("SYNTHETIC, Number2")


def test_a_server_that_is_away_loses_nothing(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "2")
    page.context.set_offline(True)
    press(page, "Enter")
    expect(page.locator("#alert")).to_contain_text("There is no connection to the server.")
    page.context.set_offline(False)
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("SYNTHETIC, Number2")
