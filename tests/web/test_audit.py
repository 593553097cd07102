"""The page of the audit stream: who sees it, what its filters find, the table to download."""

import csv
import io
import re
from collections.abc import Callable
from html import unescape

import pytest

from tests.conftest import Clock
from tests.web.conftest import Visitor
from tests.web.test_worklist_page import text_of
from worklist import audit, database

SignIn = Callable[[str], Visitor]


@pytest.fixture
def aude(sign_in: SignIn) -> Visitor:
    """Aude has signed in."""
    return sign_in("aude")


def act(who: str, action: str, about: tuple[str, int | None], **detail: object) -> None:
    with database.transaction() as session:
        audit.record(session, who, action, about=about, **detail)


def rows(page: str) -> list[str]:
    body = page.split("<tbody>")[1].split("</tbody>")[0] if "<tbody>" in page else ""
    return [text_of(row) for row in re.findall(r"<tr>.*?</tr>", body, re.DOTALL)]


@pytest.fixture
def month(frozen: Clock, aude: Visitor) -> None:
    """Three events a day for a week, from 2 March 2026 on."""
    for day in range(7):
        act("rita", "study.opened", ("study", 10 + day))
        act("rita", "verdict.given", ("study", 10 + day), opinion="abnormal", turn="first")
        act("=CMD", "association.refused", ("source", None), why="unknown_source", address="10.0.0.9")
        frozen.advance(days=1)


@pytest.mark.parametrize(("who", "status"), [("rita", 403), ("lena", 403), ("adam", 200), ("aude", 200)])
def test_auditors_and_administrators_see_it(sign_in: SignIn, who: str, status: int) -> None:
    visitor = sign_in(who)
    assert visitor.get("/audit").status_code == status
    assert visitor.get("/audit/events.csv").status_code == status


def test_newest_events_are_told_first_with_their_details(aude: Visitor, month: None) -> None:
    found = rows(aude.get("/audit").text)
    assert "=CMD association.refused source why: unknown_source; address: 10.0.0.9" in found[0]
    assert "8 Mar 2026, 08:00 UTC rita verdict.given study 16 opinion: abnormal; turn: first" in found[1]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("who=rita", 14),
        ("action=verdict.given", 7),
        ("about=study+12", 2),
        ("about=source", 7),
        ("since=2026-03-05&until=2026-03-06", 6),
        ("since=2026-03-08&until=2026-03-08", 3),
        ("until=2026-03-02&action=study.opened", 1),
        ("who=rita&action=study.opened&since=2026-03-03&until=2026-03-03", 1),
        ("until=2026-02-01", 0),
        ("since=2027-01-01", 0),
        ("who=nobody", 0),
    ],
)
def test_filters_find_what_they_say(aude: Visitor, month: None, query: str, count: int) -> None:
    assert len(rows(aude.get(f"/audit?{query}").text)) == count
    table = list(csv.reader(io.StringIO(aude.get(f"/audit/events.csv?{query}").text)))
    assert len(table) == count + 1


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("action=coffee.made", "There is no action 'coffee.made'."),
        ("about=study+x", "a kind and a number, such as study 17, not 'study x'"),
        ("about=study+99999999999999999999", "a kind and a number"),
        ("before=99999999999999999999", "'99999999999999999999' is not a place in this list."),
        ("before=top", "'top' is not a place in this list."),
        ("since=yesterday", "'yesterday' is no day; write it like 2026-03-31."),
        ("until=2026-02-30", "'2026-02-30' is no day"),
    ],
)
def test_filter_without_sense_is_told(aude: Visitor, query: str, told: str) -> None:
    answer = aude.get(f"/audit?{query}", headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert told in answer.json["error"]  # type: ignore[index]


def test_pages_follow_one_another_to_the_first_event(aude: Visitor) -> None:
    for number in range(250):
        act("rita", "study.opened", ("study", number + 1))
    seen, address = [], "/audit?action=study.opened"
    while address:
        page = aude.get(address).text
        seen += rows(page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    numbers = [int(found[1]) for row in seen if (found := re.search(r"study (\d+)", row))]
    assert numbers == list(range(250, 0, -1))


def test_download_is_noted_and_runs_no_formula(aude: Visitor, month: None) -> None:
    answer = aude.get("/audit/events.csv?action=association.refused")
    assert answer.mimetype == "text/csv"
    head, first, *_ = csv.reader(io.StringIO(answer.text))
    assert head == ["id", "at", "who", "action", "about", "about_id", "detail"]
    assert first[1:4] == ["2026-03-08T08:00:00.000+00:00", "'=CMD", "association.refused"]
    assert first[6] == '{"address": "10.0.0.9", "why": "unknown_source"}'
    newest = rows(aude.get("/audit?who=aude").text)[0]
    assert 'audit.exported audit asked: {"action": "association.refused"}' in unescape(newest)
