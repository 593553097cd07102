"""Readers work through the list with the keyboard and nothing else."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from tests.web.study_browser.conftest import READY, Open, go, press
from worklist import database
from worklist.tables import AuditEvent, Opinion, ReadingState, Study, Verdict

pytestmark = pytest.mark.browser


def is_at(page: Page, number: int) -> None:
    """The page shows this one of the five studies, painted."""
    expect(page.get_by_role("heading", level=1)).to_have_text(f"SYNTHETIC, Number{number}")
    expect(page.locator(READY)).to_be_visible()
    expect(page.locator("#study")).not_to_have_attribute("aria-busy", "true")


def verdicts() -> list[tuple[int, str, str]]:
    with database.reading() as session:
        rows = session.scalars(select(Verdict).where(Verdict.retracted_at.is_(None)).order_by(Verdict.id))
        return [(row.study_id, row.opinion.value, row.note) for row in rows]


def state(study: Study) -> ReadingState:
    with database.reading() as session:
        return session.get_one(Study, study.id).reading_state


def test_five_studies_are_read_with_the_keyboard_only(workstation: Open, five_studies: list[Study]) -> None:
    page = workstation("rita")
    go(page, "/studies/next")
    for number, key in enumerate("21321", start=1):
        is_at(page, number)
        press(page, key, "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing left to read")
    opinions = {"1": "normal", "2": "abnormal", "3": "unsure"}
    assert verdicts() == [
        (study.id, opinions[key], "") for study, key in zip(five_studies, "21321", strict=True)
    ]
    assert {state(study) for study in five_studies} == {ReadingState.READ}
    press(page, "Escape")
    expect(page).to_have_url(re.compile(r"/$"))


def test_finding_and_place_of_the_heat_map_take_a_key_each(
    workstation: Open, five_studies: list[Study]
) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "4")
    expect(page.get_by_role("radio", name="Abnormal")).to_be_checked()
    expect(page.get_by_role("status").last).to_have_text("Abnormal, Fracture chosen. Enter saves.")
    press(page, "1")  # a normal study has no finding
    expect(page.get_by_role("radio", name="Fracture")).not_to_be_checked()
    press(page, "3", "5", "y", "y", "Enter")
    is_at(page, 2)
    with database.reading() as session:
        verdict = session.scalars(select(Verdict)).one()
    assert (verdict.opinion, verdict.finding, verdict.heat_map) == ("unsure", "dislocation", "wrong")
    press(page, "4", "4", "Enter")  # the same key again takes the finding away
    is_at(page, 3)
    with database.reading() as session:
        verdict = session.scalars(select(Verdict).order_by(Verdict.id.desc())).first()
    assert verdict is not None
    assert (verdict.opinion, verdict.finding, verdict.heat_map) == ("abnormal", None, None)


def test_a_verdict_stores_what_was_visible(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "h", "2", "Enter")
    is_at(page, 2)
    with database.reading() as session:
        verdict = session.scalars(select(Verdict)).one()
        assert verdict.visible["heat_map"] is True
        assert verdict.visible["crop_box"] is False
        assert len(verdict.visible["instances"]) == 1
        assert (verdict.result_version, verdict.study_probability) == (1, pytest.approx(0.8))


def test_nothing_is_chosen_before_the_reader_chooses(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    expect(page.locator("[name=opinion]:checked")).to_have_count(0)
    press(page, "Enter")
    expect(page.locator("#alert")).to_contain_text("Choose first: 1 normal, 2 abnormal or 3 unsure.")
    assert verdicts() == []


def test_a_held_enter_key_does_not_race_through_the_list(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "1")
    page.keyboard.down("Enter")
    page.keyboard.down("Enter")  # Playwright sends it as a repetition
    page.keyboard.up("Enter")
    is_at(page, 2)
    assert len(verdicts()) == 1


def test_keys_mean_letters_while_a_note_is_written(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "2", "e")
    page.keyboard.type("1 old break, 3 new; undo? no hint")
    expect(page.get_by_label("Abnormal")).to_be_checked()
    expect(page.locator("[data-viewer]")).to_have_attribute("data-heat-map", "off")
    press(page, "Control+Enter")
    is_at(page, 2)
    assert verdicts() == [(five_studies[0].id, "abnormal", "1 old break, 3 new; undo? no hint")]
    assert page.evaluate("document.activeElement.className") == "view"


def test_escape_leaves_the_note_first_and_asks_before_it_is_lost(
    workstation: Open, five_studies: list[Study]
) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "e")
    page.keyboard.type("half a thought")
    press(page, "Escape")
    assert page.evaluate("document.activeElement.className") == "view"
    press(page, "Escape")
    expect(page.locator("#alert")).to_contain_text("Your note is not saved. Press Esc again")
    press(page, "Escape")
    expect(page).to_have_url(re.compile(r"/$"))
    assert state(five_studies[0]) is ReadingState.UNREAD


def test_undo_brings_the_last_study_back(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "2", "Enter")
    is_at(page, 2)
    press(page, "u")
    is_at(page, 1)
    assert verdicts() == []
    assert (state(five_studies[0]), state(five_studies[1])) == (ReadingState.READING, ReadingState.UNREAD)
    press(page, "1", "Enter")
    is_at(page, 2)
    assert verdicts() == [(five_studies[0].id, "normal", "")]


def test_undo_works_after_the_last_study_too(workstation: Open, five_studies: list[Study]) -> None:
    last = five_studies[0]
    with database.transaction() as session:
        for study in five_studies[1:]:
            session.delete(session.get_one(Study, study.id))
    page = go(workstation("rita"), "/studies/next")
    press(page, "3", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing left to read")
    page.wait_for_load_state()  # a page of its own, whose script comes last
    press(page, "u")
    is_at(page, 1)
    assert state(last) is ReadingState.READING


def test_deferred_and_skipped_studies_stay_for_later(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), "/studies/next")
    press(page, "n")
    is_at(page, 2)
    press(page, "d")
    is_at(page, 3)
    assert state(five_studies[1]) is ReadingState.DEFERRED
    assert verdicts() == []


def test_next_keeps_the_filters_of_the_list(workstation: Open, five_studies: list[Study]) -> None:
    with database.transaction() as session:
        for study in (five_studies[1], five_studies[2]):
            session.get_one(Study, study.id).body_part = "HAND"  # type: ignore[assignment]
    page = go(workstation("rita"), f"/studies/{five_studies[1].id}?part=HAND")
    press(page, "1", "Enter")
    is_at(page, 3)
    press(page, "1", "Enter")
    expect(page.get_by_text("No study that fits the filters of your list waits")).to_be_visible()


def test_the_heat_map_and_its_strength_have_keys(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    viewer = page.locator("[data-viewer]")
    press(page, "h")
    expect(viewer).to_have_attribute("data-heat-map", "on")
    expect(page.get_by_text("evidence for abnormal; coarse")).to_be_visible()
    expect(page.get_by_role("button", name="Heat map h")).to_have_attribute("aria-pressed", "true")
    before = page.get_by_label("Opacity").input_value()
    press(page, "]")
    assert int(page.get_by_label("Opacity").input_value()) > int(before)
    press(page, "b")
    expect(viewer).to_have_attribute("data-crop-box", "on")
    press(page, "h")
    expect(viewer).to_have_attribute("data-heat-map", "off")


def test_the_list_of_keys_opens_and_closes_without_leaving(
    workstation: Open, five_studies: list[Study]
) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    press(page, "2", "Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    is_at(page, 1)
    expect(page.locator("[name=opinion]:checked")).to_have_count(0)


def test_the_back_button_of_the_browser_shows_the_study_before(
    workstation: Open, five_studies: list[Study]
) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "2", "Enter")
    is_at(page, 2)
    page.go_back()
    is_at(page, 1)
    expect(page.get_by_role("heading", name="Read: abnormal")).to_be_visible()


def test_a_reader_corrects_a_verdict_of_their_own(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "1", "Enter")
    is_at(page, 2)
    go(page, f"/studies/{five_studies[0].id}")
    press(page, "2", "Enter")
    is_at(page, 2)
    go(page, f"/studies/{five_studies[0].id}")
    expect(page.get_by_text("normal, corrected")).to_be_visible()
    with database.reading() as session:
        first, second = session.scalars(select(Verdict).order_by(Verdict.id))
        assert (second.opinion, second.replaces_id) == (Opinion.ABNORMAL, first.id)


def test_every_opening_is_in_the_audit_stream(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "1", "Enter")
    is_at(page, 2)
    with database.reading() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "study.opened"))
        assert [(event.who, event.about_id) for event in events] == [
            ("rita", five_studies[0].id),
            ("rita", five_studies[1].id),
        ]
