"""Sources and what was turned away: rules, switches, and sentences that say what to change."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import Clock, RecordedJobs
from tests.web.administration import hold_images, reject_all
from tests.web.conftest import Visitor
from worklist import database
from worklist.intake import sources
from worklist.tables import AuditEvent, BodyPart, ClinicalPriority, Source

ADDRESS = "/admin/sources"
NEW = {"ae_title": "CR1", "address": "10.0.0.7"}


@pytest.fixture
def adam(sign_in: Callable[[str], Visitor]) -> Visitor:
    """Adam has signed in."""
    return sign_in("adam")


def only_source() -> Source:
    with database.reading() as session:
        return session.scalars(select(Source)).one()


def events(action: str) -> list[tuple[str, Any]]:
    with database.reading() as session:
        found = session.scalars(select(AuditEvent).where(AuditEvent.action == action))
        return [(event.who, event.detail) for event in found]


def test_source_is_added_with_its_rules(adam: Visitor) -> None:
    rules = {"name": "Room 1", "default_body_part": "WRIST", "clinical_priority": "STAT", "quiet_seconds": "30"}
    listens = {"port": "11112", "uses_tls": "on"}
    answer = adam.submit(f"{ADDRESS}/add", **NEW, **rules, **listens, character_set="ISO_IR 144")
    assert answer.status_code == 303
    source = only_source()
    assert sources.rules_of(source) == sources.Rules(
        "Room 1", BodyPart.WRIST, ClinicalPriority.STAT, 30, "ISO_IR 144", 11112, True
    )
    page = adam.get(ADDRESS).text
    for word in (
        "CR1",
        "Room 1",
        "Body part: Wrist",
        "STAT",
        "Complete after 30 s",
        "Cyrillic",
        "11112 with TLS",
        "Not yet",
    ):
        assert word in page
    assert events("source.added") == [("adam", {"ae_title": "CR1", "address": "10.0.0.7"})]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"address": "the ward"}, "the ward is not an IP address."),
        ({"ae_title": "A" * 17}, "1 to 16 characters"),
        ({"name": "", "default_body_part": "KNEE"}, "none of the list"),
        ({"name": "", "quiet_seconds": "soon"}, "time or port is no number"),
        ({"name": "", "port": "DICOM"}, "time or port is no number"),
        ({"name": "", "port": "104000"}, "from 1 to 65535, not 104000"),
        ({"name": "", "quiet_seconds": "-1"}, "more than 0 and at most 3600 s, not -1 s"),
        ({"name": "", "character_set": "KLINGON"}, "not a character set that can be assumed"),
        ({"name": "N" * 65}, "at most 64 characters, this one has 65"),
    ],
)
def test_what_is_wrong_is_said_beside_what_was_entered(
    adam: Visitor, wrong: dict[str, str], sentence: str
) -> None:
    answer = adam.submit(f"{ADDRESS}/add", **{**NEW, **wrong})
    assert answer.status_code == 422
    assert sentence in answer.text.replace("&#39;", "'")
    assert f'value="{wrong.get("ae_title", "CR1")}"' in answer.text
    with database.reading() as session:
        assert session.scalars(select(Source)).all() == []


def test_rules_are_changed_and_the_change_is_audited(adam: Visitor) -> None:
    adam.submit(f"{ADDRESS}/add", **NEW)
    source = only_source()
    adam.submit(f"{ADDRESS}/{source.id}", name="Room 1", quiet_seconds="30")
    page = adam.get(f"{ADDRESS}/{source.id}").text
    assert 'value="30"' in page
    assert 'value="Room 1"' in page
    adam.submit(f"{ADDRESS}/{source.id}", name="", character_set="GB18030", clinical_priority="ROUTINE")
    assert only_source().character_set == "GB18030"
    assert events("source.changed") == [
        ("adam", {"name": "Room 1", "quiet_seconds": 30.0}),
        ("adam", {"name": "", "quiet_seconds": None, "character_set": "GB18030"}),
    ]
    refused = adam.submit(f"{ADDRESS}/{source.id}", quiet_seconds="x")
    assert refused.status_code == 422
    assert "CR1 at 10.0.0.7" in refused.text
    assert adam.get(f"{ADDRESS}/4711").status_code == 404


def test_source_is_switched_off_and_on(adam: Visitor) -> None:
    adam.submit(f"{ADDRESS}/add", **NEW)
    source_id = only_source().id
    adam.submit(f"{ADDRESS}/{source_id}/switch", is_enabled="no")
    assert not only_source().is_enabled
    assert "Switched off" in adam.get(ADDRESS).text
    adam.submit(f"{ADDRESS}/{source_id}/switch", is_enabled="yes")
    assert only_source().is_enabled
    assert [detail for _, detail in events("source.changed")] == [{"is_enabled": False}, {"is_enabled": True}]


def test_letting_a_known_source_in_keeps_its_rules(adam: Visitor) -> None:
    adam.submit(f"{ADDRESS}/add", **NEW, name="Room 1", character_set="GB18030")
    adam.submit(f"{ADDRESS}/{only_source().id}/switch", is_enabled="no")
    adam.submit(f"{ADDRESS}/add", **NEW)
    source = only_source()
    assert (source.is_enabled, source.name, source.character_set) == (True, "Room 1", "GB18030")


def test_images_of_the_last_seven_days_are_counted(
    adam: Visitor, sent_jobs: RecordedJobs, frozen: Clock
) -> None:
    with database.transaction() as session:
        source = sources.add(session, "CR1", "10.0.0.7", who="adam")
    hold_images("CR1", "10.0.0.7")
    with database.reading() as session:
        assert sources.image_counts(session, frozen.time) == {source.id: 1}
    frozen.advance(days=8)
    assert '<td class="numeric">0</td>' in adam.get(ADDRESS).text


def test_everything_turned_away_is_told_with_what_to_change(adam: Visitor) -> None:
    with database.transaction() as session:
        off = sources.add(session, "OLD-CR", "10.0.0.9", who="adam")
        sources.switch(session, off.id, is_enabled=False, who="adam")
    reject_all()
    page = adam.get(ADDRESS).text
    for sentence in (
        "Nobody has added it as a source, so its association was rejected.",
        "This source is switched off, so what it sends is refused.",
        "It calls PACS, and this receiver is WORKLIST.",
        "At the modality, enter WORKLIST as called AE title",
        "raise WORKLIST_MAXIMUM_ASSOCIATIONS",
        "It asked for Modality Worklist Information Model - FIND",
        "An image was refused with 0xC000: (0020,000D) StudyInstanceUID is missing or empty.",
        "3 times",
    ):
        assert sentence in page
    assert "Let it send" in page
    assert "Switch it on" in page


def test_what_was_turned_away_long_ago_is_not_told(adam: Visitor, frozen: Clock) -> None:
    reject_all()
    frozen.advance(days=15)
    assert "Nothing: every association was accepted" in adam.get(ADDRESS).text


def test_let_it_send_is_done_with_one_form(adam: Visitor) -> None:
    reject_all()
    adam.submit(f"{ADDRESS}/add", ae_title="NEW-DX", address="10.0.0.20")
    page = adam.get(ADDRESS).text
    assert "NEW-DX at 10.0.0.20 may send images." in page
    assert "Nothing to change: it may send now." in page
