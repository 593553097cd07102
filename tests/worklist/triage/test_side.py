"""Left or right: what a study is called against what its images are tagged with."""

import pytest

from worklist.triage.side import contradiction, side_of


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("Wrist right", "R"),
        ("HAND LINKS 2 EB.", "L"),
        ("Poignet droit", "R"),
        ("Mano izquierda", "L"),
        ("RT_SHOULDER", "R"),
        ("Both hands, left and right", ""),
        ("Brightness test", ""),
        ("", ""),
    ],
)
def test_a_description_names_a_side_or_does_not(text: str, side: str) -> None:
    assert side_of(text) == side


@pytest.mark.parametrize(
    ("description", "lateralities", "told"),
    [
        ("Wrist right", ["R", "R"], ""),
        ("Wrist right", ["", "U", "B"], ""),
        ("Wrist", ["L"], ""),
        ("Wrist right", ["", "L"], "called right, its images are tagged as left"),
        ("Wrist left", ["R"], "called left, its images are tagged as right"),
        ("Hands", ["L", "R"], "Some images are tagged as left and some as right"),
    ],
)
def test_a_contradiction_is_told_in_words(description: str, lateralities: list[str], told: str) -> None:
    found = contradiction(description, lateralities)
    assert (told in found) if told else found == ""
