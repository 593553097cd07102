"""The ranked list as a reader sees it, without scripts."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Clock
from tests.factories import make_classifier, make_study
from tests.web.conftest import Visitor
from worklist import database, settings
from worklist.tables import Attention, BodyPart, Claim, ClinicalPriority, ReadingState, Result, Study, User

SignIn = Callable[[str], Visitor]
BACKGROUND = {"X-Background": "list"}


def add(name: str = "SYNTHETIC^Rita", **values: Any) -> int:
    """Add a study and return its id."""
    with database.transaction() as session:
        study = make_study(session, patient_name=name, patient_name_folded=name.upper(), **values)
        return study.id


def add_flagged(name: str, probability: float = 0.91, **values: Any) -> int:
    return add(name, probability=probability, attention=Attention.FLAGGED, **values)


def text_of(html: str) -> str:
    """Return what is read, without tags and with single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def rows_of(page: str) -> list[str]:
    """Return the text of each row."""
    return [text_of(row) for row in re.findall(r"<tr[^>]*data-study=.*?</tr>", page, re.DOTALL)]


def names_of(page: str) -> list[str]:
    return re.findall(r'class="open"[^>]*>([^<]+)<', page)


def version_of(page: str) -> str:
    found = re.search(r'data-version="(\w+)"', page)
    assert found
    return found[1]


def test_likely_fracture_stands_before_a_study_that_waits_longer(rita: Visitor) -> None:
    add("OLD^Olga", probability=0.05, waiting_minutes=30)
    add_flagged("URGENT^Uwe", waiting_minutes=5)

    assert names_of(rita.get("/").text) == ["URGENT, Uwe", "OLD, Olga"]


def test_row_says_all_that_the_reader_needs(rita: Visitor, frozen: Clock) -> None:
    with database.transaction() as session:
        make_classifier(session, threshold=0.6)
    add_flagged("SYNTHETIC^Rita", waiting_minutes=72, images=3, patient_id="SYN-7")

    (row,) = rows_of(rita.get("/").text)

    parts = (
        "91%",
        "Flagged",
        "SYNTHETIC, Rita",
        "SYN-7",
        "F 56 y",
        "Wrist",
        "3",
        "1 h 12",
        "due in 22 h 48",
        "Unread",
    )
    for part in parts:
        assert part in row
    assert "Probability 91% is worth +46 min" in row
    # 08:00 less 72 min of waiting and 46 min of head start, and 78 min that the highest probability is worth.
    assert "No routine study arriving after 07:19 UTC can pass this one" in row


def test_bar_has_its_mark_at_the_operating_point(rita: Visitor) -> None:
    with database.transaction() as session:
        make_classifier(session, threshold=0.62)
    add_flagged("SYNTHETIC^Rita")

    page = rita.get("/").text

    assert 'style="--p: 91%"' in page
    assert 'style="--at: 62.0%"' in page


def test_demo_score_is_marked_in_its_row(rita: Visitor) -> None:
    add_flagged("SYNTHETIC^Rita", is_demo_score=True)
    add("SYNTHETIC^Otto", probability=0.2)

    demo, real = rows_of(rita.get("/").text)

    assert "DEMO" in demo
    assert "DEMO" not in real


@pytest.mark.parametrize(
    ("result", "reason", "words"),
    [
        (Result.FAILED, "The pixel data cannot be decoded.", "Failed"),
        (Result.OUT_OF_SCOPE, "KNEE is not one of the seven body parts.", "Out of scope"),
        (Result.NO_CLASSIFIER, "No classifier is in charge.", "No classifier"),
        (Result.WAITING, "", "Not scored yet"),
    ],
)
def test_study_without_a_score_stands_by_its_arrival_with_the_reason(
    rita: Visitor, result: Result, reason: str, words: str
) -> None:
    add("FIRST^Frida", probability=0.5, waiting_minutes=20)
    add("UNSCORED^Ulla", result=result, result_reason=reason, waiting_minutes=10)
    add("LAST^Lars", probability=0.5, waiting_minutes=5)

    page = rita.get("/").text

    assert names_of(page) == ["FIRST, Frida", "UNSCORED, Ulla", "LAST, Lars"]
    row = rows_of(page)[1]
    assert words in row
    assert reason in row
    assert "No probability: by arrival" in row
    assert "%" not in row


def test_row_says_who_has_the_study_open(rita: Visitor) -> None:
    study_id = add_flagged("SYNTHETIC^Rita", reading_state=ReadingState.READING)
    with database.transaction() as session:
        lena = session.query(User).filter_by(username="lena").one()
        study = session.get_one(Study, study_id)
        until = study.received_at + timedelta(hours=1)
        session.add(Claim(study_id=study_id, user_id=lena.id, claimed_at=study.received_at, expires_at=until))

    (row,) = rows_of(rita.get("/").text)

    assert "Open: Lena Lead" in row


def test_priority_warning_and_provisional_score_are_in_words(rita: Visitor) -> None:
    add(
        probability=0.4,
        clinical_priority=ClinicalPriority.STAT,
        is_complete=False,
        warning="Two patients share this ID.",
    )

    (row,) = rows_of(rita.get("/").text)

    for part in ("STAT", "STAT +120 min", "provisional", "Two patients share this ID."):
        assert part in row


def test_name_from_a_modality_cannot_become_markup(rita: Visitor) -> None:
    add("<script>^alert(1)", description='"><img src=x>', warning="<b>")

    page = rita.get("/").text

    assert "&lt;script&gt;, alert(1)" in page
    assert "<img src=x" not in page
    assert "<b>&lt;" not in page


FILTERS: dict[str, dict[str, Any]] = {
    "part=SHOULDER": {"body_part": BodyPart.SHOULDER},
    "attention=flagged": {"attention": Attention.FLAGGED},
    "result=failed": {"result": Result.FAILED, "study_probability": None},
    "state=deferred": {"reading_state": ReadingState.DEFERRED},
    "q=ALP": {"patient_name": "ALPHA^Anna", "patient_name_folded": "ALPHA^ANNA"},
}


def add_with(values: dict[str, Any], name: str) -> None:
    with database.transaction() as session:
        make_study(session, **{"probability": 0.3, "patient_name": name, "description": name, **values})


def test_every_filter_works_alone_and_with_every_other_one(rita: Visitor) -> None:
    for query, values in FILTERS.items():
        add_with(values, query)
    for first, values in FILTERS.items():
        for second, others in FILTERS.items():
            if first < second:
                add_with({**values, **others}, f"{first}&{second}")

    for first in FILTERS:
        for second in FILTERS:
            page = rita.get(f"/?{first}&{second}").text
            found = rows_of(page)
            expected = 1 if first != second else len(FILTERS)
            assert len(found) == expected, (first, second)
            assert page.count("Remove the filter") == len({first, second})


def test_active_filters_are_named_and_can_be_cleared(rita: Visitor) -> None:
    page = rita.get("/?part=WRIST&attention=flagged&q=syn").text

    for words in ("Body part: Wrist", "Flag: Flagged", "Search: syn", "Clear all"):
        assert words in text_of(page)
    assert 'href="/?attention=flagged&amp;q=syn"' in page  # the list without the body part


@pytest.mark.parametrize(
    "query", ["part=KNEE", "state=nowhere", "attention=red", "result=maybe", "after=x", "after=1"]
)
def test_filter_that_does_not_exist_is_an_error_and_not_an_empty_list(rita: Visitor, query: str) -> None:
    answer = rita.get(f"/?{query}")

    assert answer.status_code == 422
    assert "Not valid" in answer.text


def test_counts_are_links_to_their_studies(rita: Visitor) -> None:
    add_flagged("SYNTHETIC^Rita")
    add("SYNTHETIC^Otto", result=Result.FAILED)
    add("SYNTHETIC^Lena", result=Result.OUT_OF_SCOPE)

    page = rita.get("/").text

    counts = re.findall(
        r'<a href="([^"]+)" data-filter.*?<b class="numeric">(\S+)</b> ([^<]+)</a>', page, re.DOTALL
    )
    assert len(counts) == 8
    for address, number, words in counts:
        assert len(rows_of(rita.get(address).text)) == int(number), words


def test_pages_follow_one_another_without_gap_or_repetition(rita: Visitor) -> None:
    for number in range(120):
        add(f"N{number:03}", waiting_minutes=200 - number)

    address: str | None = "/?part=WRIST"
    names: list[str] = []
    while address:
        page = rita.get(address).text
        names += names_of(page)
        onwards = re.search(r'rel="next" href="([^"]+)"', page)
        address = onwards[1].replace("&amp;", "&") if onwards else None

    assert names == [f"N{number:03}" for number in range(120)]
    assert rows_of(page)[0].startswith("101 ")
    assert "101 to 120, the end of the list" in text_of(page)
    assert 'rel="first" href="/?part=WRIST"' in page


def test_study_is_opened_with_the_filters_in_its_address(rita: Visitor) -> None:
    study_id = add_flagged("SYNTHETIC^Rita")

    page = rita.get("/?attention=flagged&q=syn").text

    assert f'href="/studies/{study_id}?attention=flagged&amp;q=syn"' in page


def test_empty_site_tells_how_to_send(rita: Visitor) -> None:
    page = text_of(rita.get("/").text)

    assert "No study waits to be read" in page
    assert "AE title WORKLIST Port 11112" in page
    assert "worklist send FOLDER" in page


def test_empty_result_offers_all_studies(rita: Visitor) -> None:
    add()

    page = rita.get("/?q=nobody").text

    assert "No study matches" in page
    assert "Nothing fits these filters. 1 study waits to be read." in text_of(page)
    assert "Show all waiting studies" in page


def test_poll_is_answered_with_nothing_while_nothing_changes(rita: Visitor, frozen: Clock) -> None:
    add(waiting_minutes=10)
    version = version_of(rita.get("/").text)

    frozen.advance(minutes=10)  # the waiting time alone is no change
    answer = rita.get(f"/rows?v={version}", headers=BACKGROUND)

    assert answer.status_code == 204
    assert answer.data == b""


def test_poll_brings_a_new_study_and_another_version(rita: Visitor) -> None:
    add("SYNTHETIC^Rita", waiting_minutes=10)
    version = version_of(rita.get("/").text)

    add_flagged("SYNTHETIC^Otto")
    answer = rita.get(f"/rows?v={version}", headers=BACKGROUND)

    assert answer.status_code == 200
    assert names_of(answer.text) == ["SYNTHETIC, Otto", "SYNTHETIC, Rita"]
    assert version_of(answer.text) != version
    assert "<html" not in answer.text


@pytest.mark.parametrize(
    "change", [{"warning": "late image"}, {"reading_state": ReadingState.DEFERRED}, {"is_complete": False}]
)
def test_poll_brings_changes_of_a_row(rita: Visitor, change: dict[str, Any]) -> None:
    study_id = add()
    version = version_of(rita.get("/").text)

    with database.transaction() as session:
        session.query(Study).filter_by(id=study_id).update(change)

    assert rita.get(f"/rows?v={version}", headers=BACKGROUND).status_code == 200


def test_list_takes_the_same_few_statements_however_long_it_is(rita: Visitor, statements: list[str]) -> None:
    counts = []
    for _ in range(2):
        add()
        statements.clear()
        rita.get("/")
        counts.append(len([statement for statement in statements if statement.startswith("SELECT")]))
        for _ in range(20):
            add()

    # The person, which studies, their rows, the ranking policy, the counts, the views.
    assert counts == [6, 6]


def test_counts_stop_at_a_thousand(rita: Visitor) -> None:
    with database.transaction() as session:
        for _ in range(1002):
            make_study(session, images=0)

    assert "1000+ waiting" in text_of(rita.get("/").text)


@pytest.mark.parametrize("username", ["rita", "lena", "adam"])
def test_those_who_read_or_administrate_see_the_list(sign_in: SignIn, username: str) -> None:
    assert sign_in(username).get("/").status_code == 200


def test_auditors_never_see_a_patient(sign_in: SignIn) -> None:
    add()
    aude = sign_in("aude")
    assert aude.get("/").location == "/audit"
    assert aude.get("/rows").status_code == 403
    assert "SYNTHETIC" not in aude.get("/audit").text


def test_disk_without_room_is_said_on_the_list_and_goes_by_itself(
    rita: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = version_of(rita.get("/").text)
    monkeypatch.setenv("WORKLIST_MINIMUM_FREE_BYTES", str(10**18))
    settings.current.cache_clear()
    answer = rita.get(f"/rows?v={version}", headers=BACKGROUND)
    assert "New images are refused. The archive disk has" in answer.text
    monkeypatch.setenv("WORKLIST_MINIMUM_FREE_BYTES", "0")
    settings.current.cache_clear()
    answer = rita.get(f"/rows?v={version_of(answer.text)}", headers=BACKGROUND)
    assert answer.status_code == 200
    assert "refused" not in answer.text
