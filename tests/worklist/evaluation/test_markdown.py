"""A card as text: every figure with its interval, what is missing said."""

from tests.worklist.evaluation.drawn import of_role, population
from tests.worklist.evaluation.test_comparison import pairs
from worklist.dataset.snapshot import Role
from worklist.evaluation import comparison, markdown, report

BARE = {"name": "demo-1", "sha256": "ab" * 32, "input_size_px": 224, "statement": "Not a medical device."}


def rows(page, word):
    return [line for line in page.splitlines() if line.startswith(f"| {word} ")]


def test_a_full_card_shows_figures_by_body_part_and_the_answers_of_the_gate():
    images, logits = population(400)
    tests = [test.as_json() for test in comparison.compare(pairs(300, candidate=4.0))]
    card = {
        **BARE,
        **report.measure(images, logits),
        "recipe": {"layers": "head", "seed": 1},
        "data": {"snapshot_sha256": "cd" * 32, "counts": {"fit": {"WRIST": {"normal": 3, "abnormal": 4}}}},
        "comparison": {"champion": "demo-0", "studies": 200, "tests": tests},
    }
    page = markdown.page(card)
    studies = len({image.study for image in of_role(images, Role.TEST)})
    assert page.startswith("# Classifier demo-1\n\nNot a medical device.\n")
    assert f"| all | {studies} |" in page
    assert len(rows(page, "wrist")) == 5
    assert "| Studies to fit | wrist 4 abnormal and 3 normal |" in page
    assert "With demo-0, which was in charge, on 200 studies" in page
    assert "| Is no body part worse? | yes |" in page
    assert "nan" not in page.lower().replace("nano", "")


def test_what_was_not_measured_is_said():
    page = markdown.page(BARE)
    assert "None were measured by body part." in page
    assert "Comparison" not in page


def test_every_row_has_the_cells_of_its_head():
    images, logits = population(60)
    page = markdown.page({**BARE, **report.measure(images, logits)})
    for block in page.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1
