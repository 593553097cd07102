"""What stands on the page in every state, for every eye."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.study_browser.conftest import Open, go, press
from tests.web.study_browser.radiographs import add_study
from worklist import database, settings
from worklist.tables import BodyPart, ClassifierVersion, ClinicalPriority, Instance, Result, Series, Study

pytestmark = pytest.mark.browser


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{item['id']}: {item['nodes'][0]['html'][:120]}" for item in found]


def damage(study: Study) -> None:
    """Cut the file of a study's only image short."""
    with database.reading() as session:
        path = session.query(Instance.file_path).join(Series).filter(Series.study_id == study.id).scalar()
    file = settings.current().archive_folder / path
    file.write_bytes(file.read_bytes()[:2000])


def test_the_page_of_a_scored_study_is_accessible(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "h", "b", "2")
    assert violations(page) == []
    press(page, "?")
    assert violations(page) == []


def test_the_pages_of_a_held_and_a_read_study_are_accessible(
    workstation: Open, five_studies: list[Study]
) -> None:
    rita, lena = workstation("rita"), workstation("lena")
    go(rita, f"/studies/{five_studies[0].id}")
    go(lena, f"/studies/{five_studies[0].id}")
    assert violations(lena) == []
    press(rita, "1", "Enter")
    expect(rita.get_by_role("heading", level=1)).to_have_text("SYNTHETIC, Number2")
    go(lena, f"/studies/{five_studies[0].id}")
    assert violations(lena) == []


def test_an_image_that_cannot_be_decoded_says_so_and_the_study_can_be_read(
    workstation: Open, five_studies: list[Study]
) -> None:
    damage(five_studies[0])
    page = workstation("rita")
    page.goto(f"/studies/{five_studies[0].id}")
    expect(page.get_by_text("This image could not be shown:")).to_be_visible()
    assert violations(page) == []
    press(page, "3", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("SYNTHETIC, Number2")


def test_all_images_of_a_study_are_side_by_side(workstation: Open, version: ClassifierVersion) -> None:
    with database.transaction() as session:
        study = add_study(session, version, seed=7, body_part=BodyPart.WRIST, views=None, probability=0.7)
    page = go(workstation("rita"), f"/studies/{study.id}")
    shown = page.locator(".view[data-state=ready]")
    expect(shown).to_have_count(3)
    boxes = [box for box in (view.bounding_box() for view in shown.all()) if box]
    assert len({round(box["y"]) for box in boxes}) == 1
    assert all(box["width"] > 200 for box in boxes)


# 640 × 400 is 1280 × 800 at 200 %.
@pytest.mark.parametrize(("width", "height"), [(1600, 900), (1280, 800), (900, 700), (640, 400), (480, 800)])
def test_nothing_is_cut_off_at_the_side(
    workstation: Open, five_studies: list[Study], width: int, height: int
) -> None:
    with database.transaction() as session:
        study = session.get_one(Study, five_studies[0].id)
        study.patient_name, study.description = (
            "SYNTHETIC-WITHALONGNAME^Ottilie Maria",
            "Wrist right, four views",
        )
        study.clinical_priority, study.is_demo_score, study.is_complete = ClinicalPriority.STAT, True, False
    page = workstation("rita")
    page.set_viewport_size({"width": width, "height": height})
    go(page, f"/studies/{five_studies[0].id}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.get_by_role("button", name="Save and next")).to_be_visible()


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (Result.FAILED, "No score: the analysis failed"),
        (Result.OUT_OF_SCOPE, "No score: out of scope"),
        (Result.NO_CLASSIFIER, "No score: no classifier"),
        (Result.WAITING, "Not scored yet"),
    ],
)
def test_a_study_without_a_score_says_why_and_can_be_read(
    workstation: Open, version: ClassifierVersion, result: Result, words: str
) -> None:
    with database.transaction() as session:
        study = add_study(session, None, seed=3, result=result, result_reason="This is the reason.")
    page = go(workstation("rita"), f"/studies/{study.id}")
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_text("This is the reason.")).to_be_visible()
    press(page, "1", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing left to read")
    assert violations(page) == []


MOVING = """[...document.querySelectorAll("*")].filter((element) => {
  const { transitionDuration, animationName } = getComputedStyle(element);
  return animationName !== "none" || transitionDuration.split(",").some((time) => parseFloat(time) > 0);
}).map(({ tagName, className }) => `${tagName} ${className}`)"""


def test_nothing_moves_for_whoever_wants_no_motion(workstation: Open, five_studies: list[Study]) -> None:
    page = workstation("rita")
    assert page.evaluate(MOVING) != []  # rows fade where motion is welcome
    page.emulate_media(reduced_motion="reduce")
    for address in ("/", f"/studies/{five_studies[0].id}"):
        page.goto(address)
        page.wait_for_load_state("load")
        assert page.evaluate(MOVING) == []
