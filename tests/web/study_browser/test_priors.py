"""Other studies of the patient are looked at beside the one that is read."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from tests.web.study_browser.conftest import READY, Open, go, press
from tests.web.study_browser.radiographs import add_study
from tests.web.study_browser.test_looks import violations
from worklist import database
from worklist.tables import AuditEvent, BodyPart, Claim, Instance, ReadingState, Series, Study

pytestmark = pytest.mark.browser


@pytest.fixture
def patient(people: None, sent_jobs: object) -> list[Study]:
    """A patient with three studies, the first of which waits for its reader; a second patient waits too."""
    with database.transaction() as session:
        common = {"patient_id": "SYN-7", "patient_name": "SYNTHETIC^Patient"}
        read = {"reading_state": ReadingState.READ, "is_open": False}
        return [
            add_study(session, None, seed=1, description="Wrist left", **common),
            add_study(session, None, seed=1, study_date="20250301", description="Old wrist", **common, **read),
            add_study(session, None, seed=2, study_date="20240301", body_part=BodyPart.HAND, **common, **read),
            add_study(session, None, seed=3, patient_id="SYN-8", patient_name="SYNTHETIC^Other"),
        ]


def test_a_key_shows_one_after_the_other_and_then_none(workstation: Open, patient: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{patient[0].id}")
    press(page, "c")
    views = page.locator("[data-viewer] > .view")
    expect(views).to_have_count(2)
    expect(page.get_by_role("button", name="1 Mar 2025, Old wrist")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-viewer]")).to_have_attribute("data-state", "ready")
    assert violations(page) == []
    press(page, "c")
    expect(page.get_by_role("button", name="1 Mar 2024")).to_have_attribute("aria-pressed", "true")
    press(page, "c")
    expect(views).to_have_count(1)
    press(
        page, "c", "1", "Enter"
    )  # the verdict is about the patient's own study, and the next one stands alone
    expect(page.get_by_role("heading", level=1)).to_have_text("SYNTHETIC, Other")
    expect(page.locator(READY)).to_be_visible()
    expect(views).to_have_count(1)
    expect(page.get_by_text("Other studies of this patient")).to_be_hidden()
    with database.reading() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "study.compared")).all()
        claimed = set(session.scalars(select(Claim.study_id)))
    assert [(event.about_id, event.detail) for event in events] == [
        (patient[number].id, {"beside": patient[0].id}) for number in (1, 2, 1)
    ]
    assert claimed == {patient[0].id, patient[3].id}


def test_a_side_that_contradicts_itself_is_told(workstation: Open, patient: list[Study]) -> None:
    with database.transaction() as session:
        tags = select(Instance.laterality).join(Series).where(Series.study_id == patient[0].id)
        is_left = session.scalars(tags).first() == "L"
        session.get_one(Study, patient[0].id).description = "Wrist right" if is_left else "Wrist left"
    page = go(workstation("rita"), f"/studies/{patient[0].id}")
    expect(page.get_by_text("look at the markers in the images.")).to_be_visible()
    assert violations(page) == []
