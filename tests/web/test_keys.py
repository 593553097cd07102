"""Keys that a person has changed, without scripts: what is kept, what is refused and why."""

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from tests.factories import make_study
from tests.web.conftest import Visitor
from web.keys import IMAGE, SCREENS, choice_from, keys_of
from worklist import database
from worklist.errors import Invalid

SignIn = Callable[[str], Visitor]


def fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input class="key" id="[^"]+" name="([^"]+)" value="([^"]*)"', unescape(page)))


def test_usual_keys_mean_one_thing_each() -> None:
    for actions in SCREENS:
        signs = [sign for key in actions.values() for sign in (key.usual, key.further) if sign]
        assert len(signs) == len(set(signs))


def test_viewer_has_the_same_actions_and_the_same_usual_keys() -> None:
    source = Path("web/viewer/src/keys.js").read_text()
    table = source.split("DEFAULT_KEYS = {")[1].split("};")[0]
    actions = dict(re.findall(r"'?([a-z-]+)'?: \['(.)'", table))
    fixed = {name for name in actions if name.startswith("pan-") or name in {"maximise", "remove-measurement"}}
    assert {name: key for name, key in actions.items() if name not in fixed} == {
        **{name: key.usual for name, key in IMAGE.items()},
        "text": "t",  # which takes over from another reader on the study page
    }


def test_changed_keys_are_on_the_page_and_stay_there(sign_in: SignIn) -> None:
    with database.transaction() as session:
        study = make_study(session, probability=0.9)
    rita = sign_in("rita")
    given = {**fields(rita.get("/account/keys").text), "normal": "J", "heat-map": "q", "invert": ""}

    assert rita.submit("/account/keys", **given).status_code == 303

    again = sign_in("rita")
    page = again.get("/account/keys").text
    assert fields(page) == {**given, "normal": "j"}
    assert "usually <kbd>1</kbd>" in page
    study_page = unescape(again.get(f"/studies/{study.id}").text)
    reading, viewer = (json.loads(table) for table in re.findall(r"data-keys='([^']+)'", study_page))
    assert (reading["j"], "1" in reading) == ("normal", False)
    assert (viewer["heat-map"], viewer["invert"], viewer["zoom-in"]) == (["q"], [], ["+", "="])
    assert "<span>Normal</span> <kbd>j</kbd>" in study_page
    assert re.search(r'data-viewer-action="invert"\s*>Invert </button>', study_page)
    # Another person's keys are the usual ones.
    assert fields(sign_in("lena").get("/account/keys").text)["normal"] == "1"


def test_usual_keys_come_back(rita: Visitor) -> None:
    usual = fields(rita.get("/account/keys").text)
    rita.submit("/account/keys", **{**usual, "search": "f"})
    assert fields(rita.get("/account/keys").text)["search"] == "f"
    rita.submit("/account/keys", **usual, usual="yes")
    assert fields(rita.get("/account/keys").text) == usual


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"normal": "h"}, "The key h cannot mean both “Normal” and “Heat map on, off”."),
        ({"note": "="}, "The key = cannot mean both “Zoom in” and “Write a note”."),
        (
            {"defer": "F5"},
            "“Defer and next study” cannot have the key 'f5': a key is one letter, digit or sign.",
        ),
        ({"defer": "\x07"}, "“Defer and next study” cannot have the key '\\x07'"),
    ],
)
def test_key_that_cannot_be_had_is_refused_in_words(
    rita: Visitor, changed: dict[str, str], sentence: str
) -> None:
    usual = fields(rita.get("/account/keys").text)
    answer = rita.submit("/account/keys", **{**usual, **changed})
    assert answer.status_code == 422
    assert sentence in unescape(answer.text)
    # What was entered is still in the form, and nothing of it is kept.
    assert fields(answer.text)[next(iter(changed))] == next(iter(changed.values()))
    assert fields(rita.get("/account/keys").text) == usual


def test_two_keys_can_be_swapped_and_list_and_study_are_apart() -> None:
    assert choice_from({"normal": "2", "abnormal": "1"}) == {"normal": "2", "abnormal": "1"}
    assert choice_from({"search": "h"}) == {"search": "h"}
    with pytest.raises(Invalid):
        choice_from({"note": "h"})


def test_key_that_a_later_release_gives_to_something_new_stays_with_the_choice() -> None:
    # "undo" was chosen to be k when k was free; since then marks have it.
    keys = keys_of({"undo": "k"})
    assert (keys["undo"], keys["mark-crop"]) == ("k", "")
