"""Held back images: who sees them where, what an administrator can do, and what it leaves behind."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import RecordedJobs
from tests.web.administration import PATIENT, hold_images
from tests.web.conftest import Visitor
from worklist import database
from worklist.errors import Unavailable
from worklist.intake import held_files
from worklist.tables import AuditEvent, Instance, Quarantined, Resolution, Study

SignIn = Callable[[str], Visitor]
ADDRESS = "/admin/quarantine"
HELD = "1 image is held back until an administrator has decided where it belongs."


@pytest.fixture
def held(people: None, sent_jobs: RecordedJobs) -> list[int]:
    """An image of another patient, and one that is known in another study."""
    return hold_images("CR-ROOM1", "10.0.0.7")


@pytest.fixture
def adam(sign_in: SignIn) -> Visitor:
    """Adam has signed in."""
    return sign_in("adam")


def decide(adam: Visitor, quarantined_id: int, act: str, **form: Any) -> Any:
    return adam.submit(f"{ADDRESS}/{quarantined_id}/{act}", **form)


def row(quarantined_id: int) -> Quarantined:
    with database.reading() as session:
        return session.get_one(Quarantined, quarantined_id)


def actions(*wanted: str) -> list[tuple[str, str]]:
    with database.reading() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action.in_(wanted)))
        return [(event.who, event.action) for event in events]


@pytest.mark.parametrize("username", ["rita", "lena", "aude"])
@pytest.mark.parametrize("address", [ADDRESS, "/admin", "/admin/sources", "/admin/sources/add"])
def test_pages_are_for_administrators_only(sign_in: SignIn, username: str, address: str) -> None:
    answer = sign_in(username).get(address)
    assert answer.status_code == 403
    assert "needs the role administrator" in answer.text


@pytest.mark.parametrize("act", ["file", "check", "discard", "reopen"])
def test_nobody_else_decides(sign_in: SignIn, held: list[int], act: str) -> None:
    assert decide(sign_in("lena"), held[0], act, note="because").status_code == 403
    assert row(held[0]).resolution is None


def test_page_shows_file_and_study_side_by_side(adam: Visitor, held: list[int]) -> None:
    page = adam.get(ADDRESS).text
    assert "Names another patient than its study" in page
    assert "Is known in another study" in page
    for value in ("P-1", "P-2", PATIENT.replace("^", ", "), "EXAMPLE, Rita", "12 Apr 1970", "31 Jan 1988"):
        assert f"<td>{value}</td>" in page
    assert page.count('class="chip">differs<') == 7
    assert "an unknown source" in page


def test_header_counts_for_administrators_only(sign_in: SignIn, held: list[int]) -> None:
    assert "2 held back" in sign_in("adam").get("/").text
    assert "Administration" not in sign_in("rita").get("/").text


def test_header_does_not_fail_with_the_database(
    adam: Visitor, held: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: Any) -> int:
        raise Unavailable("The database did not answer.")

    monkeypatch.setattr(held_files, "open_count", away)
    assert adam.get("/").status_code == 200


def test_readers_see_in_list_and_study_that_images_are_held_back(sign_in: SignIn, held: list[int]) -> None:
    rita = sign_in("rita")
    study_id = row(held[0]).study_id
    for address in ("/", f"/studies/{study_id}"):
        page = rita.get(address).text
        assert HELD in page
        assert "An image of this study was sent for another study too" in page


def test_filing_puts_the_image_into_the_study_and_warns_its_readers(
    adam: Visitor, held: list[int], sent_jobs: RecordedJobs
) -> None:
    sent_jobs.clear()
    assert decide(adam, held[0], "file", note="Room 1 confirmed it.").status_code == 303
    decided = row(held[0])
    assert (decided.resolution, decided.resolved_by, decided.note) == (
        Resolution.FILED,
        "adam",
        "Room 1 confirmed it.",
    )
    with database.reading() as session:
        study = session.scalars(select(Study)).one()
        assert len(session.scalars(select(Instance)).all()) == 2
    assert "name different patient IDs" in study.warning
    assert [name for name, _ in sent_jobs] == ["analyse_instance"]
    assert actions("quarantine.filed") == [("adam", "quarantine.filed")]
    page = adam.get(ADDRESS).text
    assert "Filed in its study" in page
    assert "Room 1 confirmed it." in page
    assert HELD not in adam.get(f"/studies/{study.id}").text


def test_discarding_needs_a_note_and_can_be_taken_back(adam: Visitor, held: list[int]) -> None:
    refused = decide(adam, held[0], "discard", note="")
    assert refused.status_code == 422
    assert "Write a note that says why" in refused.text
    assert decide(adam, held[0], "discard", note="A test.").status_code == 303
    assert row(held[0]).resolution is Resolution.DISCARDED
    assert "1 held back" in adam.get("/").text
    decide(adam, held[0], "reopen")
    assert "2 held back" in adam.get("/").text
    assert actions("quarantine.discarded", "quarantine.reopened") == [
        ("adam", "quarantine.discarded"),
        ("adam", "quarantine.reopened"),
    ]


def test_check_says_what_still_contradicts_and_files_what_fits(adam: Visitor, held: list[int]) -> None:
    decide(adam, held[0], "check")
    assert "still held back: names another patient than its study" in adam.get(ADDRESS).text
    with database.transaction() as session:
        session.query(Study).update({"patient_id": "P-2", "patient_name_folded": "OTHER^OTTO"})
    decide(adam, held[0], "check")
    assert row(held[0]).resolution is Resolution.FITS
    assert actions("quarantine.checked") == [("adam", "quarantine.checked")]


def test_image_whose_study_is_gone_can_be_checked_again(adam: Visitor, held: list[int]) -> None:
    with database.transaction() as session:
        session.query(Study).delete()
    assert "not\n    there any more" in adam.get(ADDRESS).text
    decide(adam, held[1], "check")
    assert row(held[1]).resolution is Resolution.FITS


def test_second_administrator_learns_that_it_is_decided(adam: Visitor, held: list[int]) -> None:
    decide(adam, held[0], "discard", note="A test.")
    answer = decide(adam, held[0], "file", note="No, it belongs there.")
    assert answer.status_code == 409
    assert "adam has decided on this file already" in answer.text
    assert decide(adam, 4711, "file", note="x").status_code == 404


def test_page_names_no_patient_in_an_address_and_takes_few_statements(
    adam: Visitor, held: list[int], statements: list[str]
) -> None:
    statements.clear()
    page = adam.get(ADDRESS).text
    assert len([one for one in statements if one.startswith("SELECT")]) <= 6
    addresses = [part.split('"')[0] for part in page.split('href="')[1:] + page.split('action="')[1:]]
    assert not any("P-1" in address or "Otto" in address for address in addresses)


def test_nothing_held_back_is_said(adam: Visitor) -> None:
    assert "Nothing is held back" in adam.get(ADDRESS).text
    assert adam.get("/admin").location == ADDRESS
