"""Anti-bias mode in a browser: nothing of the classifier is shown or fetched before the first opinion."""

import pytest
from playwright.sync_api import expect

from tests.web.study_browser.conftest import READY, Open, go, press
from worklist import database, settings
from worklist.settings import Settings
from worklist.tables import Opinion, Study, Verdict


@pytest.fixture(autouse=True)
def anti_bias(monkeypatch: pytest.MonkeyPatch, site: Settings) -> None:
    monkeypatch.setenv("WORKLIST_ANTI_BIAS", "true")
    settings.current.cache_clear()


def test_first_opinion_unlocks_the_heat_map_and_the_next_study_is_locked_again(
    workstation: Open, five_studies: list[Study]
) -> None:
    page = workstation("rita")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    go(page, f"/studies/{five_studies[0].id}")
    heat_map = page.locator("[data-viewer-action=heat-map]")
    expect(heat_map).to_be_disabled()
    press(page, "h")
    expect(page.locator("[data-viewer]")).to_have_attribute("data-heat-map", "locked")
    expect(page.get_by_text("Probability of an abnormality")).to_have_count(0)
    assert not any("heat-map" in address for address in asked)

    press(page, "1", "Enter")

    expect(page.get_by_text("Your first opinion: normal.")).to_be_visible()
    expect(heat_map).to_be_enabled()
    expect(page.locator("[name=opinion]:checked")).to_have_value("normal")
    press(page, "h")
    expect(page.locator("[data-viewer]")).to_have_attribute("data-heat-map", "on")
    expect(page.locator(".viewer-heat-map").first).to_be_visible()
    assert any("heat-map" in address for address in asked)

    asked.clear()
    press(page, "2", "Enter")

    expect(page.locator(f"#study[data-study='{five_studies[1].id}'] {READY}")).to_be_visible()
    expect(heat_map).to_be_disabled()
    assert not any("heat-map" in address for address in asked)
    with database.reading() as session:
        verdict = session.query(Verdict).one()
        assert (verdict.first_opinion, verdict.opinion) == (Opinion.NORMAL, Opinion.ABNORMAL)
        assert verdict.visible["heat_map"] is True
    # What the reader had on comes back with the next first opinion.
    press(page, "3", "Enter")
    expect(page.locator("[data-viewer]")).to_have_attribute("data-heat-map", "on")
