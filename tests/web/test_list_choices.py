"""Columns and views that a reader has chosen, without scripts."""

import re
from collections.abc import Callable

import pytest

from tests.conftest import Clock
from tests.web.conftest import Visitor
from tests.web.test_worklist_page import add, text_of

SignIn = Callable[[str], Visitor]


def heads_of(page: str) -> list[str]:
    return [text_of(head) for head in re.findall(r"<th role.*?</th>", page, re.DOTALL)]


def test_chosen_columns_are_shown_and_stay_chosen(sign_in: SignIn) -> None:
    add(accession_number="ACC-77", study_date="20260302")
    rita = sign_in("rita")

    rita.submit("/list/columns", column=["accession", "studied"])

    page = sign_in("rita").get("/").text
    assert heads_of(page) == [
        "Place #",
        "Probability",
        "Flag",
        "Patient",
        "Accession number",
        "Study date",
        "State",
    ]
    assert "ACC-77" in text_of(page)
    assert "2 Mar 2026" in text_of(page)
    # Another person's list is as it was.
    assert "Why here" in heads_of(sign_in("lena").get("/").text)


def test_usual_columns_come_back(rita: Visitor) -> None:
    add()
    usual = heads_of(rita.get("/").text)
    rita.submit("/list/columns")
    assert heads_of(rita.get("/").text) == ["Place #", "Probability", "Flag", "Patient", "State"]
    rita.submit("/list/columns", default="yes")
    assert heads_of(rita.get("/").text) == usual


def test_column_that_does_not_exist_is_refused_in_words(rita: Visitor) -> None:
    answer = rita.submit("/list/columns", column="salary")
    assert answer.status_code == 422
    assert "The list has no column &#39;salary&#39;" in answer.text


def test_filters_are_kept_as_a_view_and_used_again(sign_in: SignIn) -> None:
    add("WRIST^Wanda", body_part="WRIST")
    add("HAND^Hanna", body_part="HAND")
    rita = sign_in("rita")

    answer = rita.submit("/list/views?part=HAND&q=secret", name="Hands", shared="on")

    assert answer.headers["Location"] == "/?part=HAND&q=secret"
    page = sign_in("lena").get("/").text
    link = re.search(r'<a href="([^"]+)"[^>]*>Hands</a>', page)
    assert link
    assert link[1] == "/?part=HAND"
    assert "shared by Rita Reader" in text_of(page)


def test_late_studies_are_counted_and_said(rita: Visitor, frozen: Clock) -> None:
    add("LATE^Lars", waiting_minutes=24 * 60 + 12)
    add("SOON^Susi", waiting_minutes=23 * 60 + 30)

    page = text_of(rita.get("/").text)

    assert "12 min late" in page
    assert "due in 30 min" in page
    assert "1 late" in page
    late = text_of(rita.get("/?due=late").text)
    assert "LATE, Lars" in late
    assert "SOON, Susi" not in late
    assert "Due: Late" in late


@pytest.mark.parametrize(("who", "status"), [("rita", 303), ("lena", 303), ("adam", 303), ("aude", 403)])
def test_everybody_who_sees_the_list_may_choose(sign_in: SignIn, who: str, status: int) -> None:
    assert sign_in(who).submit("/list/columns", column=["id"]).status_code == status
