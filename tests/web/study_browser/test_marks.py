"""What a reader draws leaves with the verdict, in pixels of the image, and comes back for a correction."""

import json

from playwright.sync_api import Page, expect
from sqlalchemy import select

from tests.web.study_browser.conftest import READY, Open, go, press
from worklist import database
from worklist.tables import Mark, Study, Verdict

# The position in the image of a position in the view: the layer of the heat map lies exactly on the image.
SOURCE = """(view, [x, y]) => {
  const matrix = new DOMMatrix(getComputedStyle(view.querySelector('.viewer-layer')).transform).inverse();
  const place = matrix.transformPoint(new DOMPoint(x, y));
  return [place.x, place.y];
}"""


def in_view(page: Page, x: float, y: float) -> tuple[float, float]:
    box = page.locator(".view").first.bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def source_of(page: Page, x: float, y: float) -> list[float]:
    box = page.locator(".view").first.bounding_box()
    assert box is not None
    place: list[float] = page.locator(".view").first.evaluate(SOURCE, [x * box["width"], y * box["height"]])
    return place


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*in_view(page, *start))
    page.mouse.down()
    page.mouse.move(*in_view(page, *end), steps=6)
    page.mouse.up()


def marks() -> list[Mark]:
    with database.reading() as session:
        return list(session.scalars(select(Mark).order_by(Mark.id)))


def test_point_box_and_crop_are_kept_where_they_were_drawn(
    workstation: Open, five_studies: list[Study]
) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "s")
    drag(page, (0.45, 0.4), (0.55, 0.6))
    press(page, "k")
    drag(page, (0.4, 0.3), (0.6, 0.7))
    press(page, "o")
    page.mouse.click(*in_view(page, 0.42, 0.75))
    # Cornerstone waits a moment whether a click becomes a double-click.
    expect(page.locator(".svg-layer text")).to_have_count(3)
    expected = [
        *(("box", *source_of(page, 0.45, 0.4), *source_of(page, 0.55, 0.6)),),
        *(("crop", *source_of(page, 0.4, 0.3), *source_of(page, 0.6, 0.7)),),
    ]
    point = source_of(page, 0.42, 0.75)
    press(page, "2", "Enter")
    expect(page.locator(f"#study[data-study='{five_studies[1].id}'] {READY}")).to_be_visible()

    kept = {mark.kind.value: mark for mark in marks()}
    assert set(kept) == {"point", "box", "crop"}
    for kind, left, top, right, bottom in expected:
        mark = kept[kind]
        assert abs(mark.left - left) < 2, kind
        assert abs(mark.top - top) < 2, kind
        assert abs(mark.left + mark.width - right) < 2, kind
        assert abs(mark.top + mark.height - bottom) < 2, kind
    assert abs(kept["point"].left + 0.5 - point[0]) < 2
    assert abs(kept["point"].top + 0.5 - point[1]) < 2


def test_marks_come_back_for_a_correction_and_stay_with_it(
    workstation: Open, five_studies: list[Study]
) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "s")
    drag(page, (0.45, 0.4), (0.55, 0.6))
    press(page, "2", "Enter")
    expect(page.locator(f"#study[data-study='{five_studies[1].id}'] {READY}")).to_be_visible()
    expect(page.locator(".svg-layer rect")).to_have_count(0)
    (before,) = [(mark.left, mark.top, mark.width, mark.height) for mark in marks()]

    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    expect(page.locator(".svg-layer text")).to_have_text("Finding")
    press(page, "3", "Enter")
    page.wait_for_url(f"**/studies/{five_studies[2].id}")  # the other workstation has the second open

    found = [(mark.left, mark.top, mark.width, mark.height) for mark in marks()]
    assert found == [before, before]
    with database.reading() as session:
        assert [len(verdict.marks) for verdict in session.scalars(select(Verdict).order_by(Verdict.id))] == [
            1,
            1,
        ]


def test_mark_that_is_deleted_is_not_kept(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    press(page, "s")
    drag(page, (0.45, 0.4), (0.55, 0.6))
    press(page, "Delete")
    press(page, "1", "Enter")
    expect(page.locator(f"#study[data-study='{five_studies[1].id}'] {READY}")).to_be_visible()
    assert marks() == []


def test_mark_outside_of_the_study_is_refused_in_words(workstation: Open, five_studies: list[Study]) -> None:
    page = go(workstation("rita"), f"/studies/{five_studies[0].id}")
    mark = {"instance": 999, "kind": "box", "left": 1, "top": 1, "width": 5, "height": 5}
    page.evaluate("mark => { window.worklistViewer.marks = () => [mark]; }", mark)
    assert json.loads(page.evaluate("JSON.stringify(window.worklistViewer.marks())")) == [mark]
    press(page, "2", "Enter")
    expect(page.locator("#alert")).to_contain_text("A mark lies outside of the images of this study")
    assert marks() == []
