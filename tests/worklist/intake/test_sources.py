"""Who may send: loopback, and who was added."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.conftest import Clock
from worklist.errors import Invalid
from worklist.intake.sources import UnknownSource, add, all_sources, canonical, known, recognise
from worklist.tables import AuditEvent


def test_loopback_address_becomes_a_source_by_itself(session: Session, frozen: Clock) -> None:
    source = recognise(session, "STORESCU", "127.0.0.1")
    frozen.advance(minutes=1)
    assert recognise(session, "STORESCU", "::ffff:127.0.0.1") is source
    assert source.is_enabled
    assert (source.last_seen_at - source.first_seen_at).total_seconds() == 60
    assert session.scalars(select(AuditEvent.action)).all() == ["source.added"]


def test_stranger_is_told_what_to_do(session: Session) -> None:
    with pytest.raises(UnknownSource) as refused:
        recognise(session, "CR1", "10.0.0.7")
    assert str(refused.value).endswith("run: worklist source add CR1 10.0.0.7")


def test_added_source_may_send_from_its_address_only(session: Session) -> None:
    add(session, " CR1 ", "10.0.0.7", name="Emergency room", who="adam")
    assert known(session, "CR1", "10.0.0.7").name == "Emergency room"
    with pytest.raises(UnknownSource):
        known(session, "CR1", "10.0.0.8")
    with pytest.raises(UnknownSource):
        known(session, "CR2", "10.0.0.7")


def test_source_that_was_switched_off_is_refused_until_added_again(session: Session) -> None:
    source = recognise(session, "CR1", "127.0.0.1")
    source.is_enabled = False
    with pytest.raises(UnknownSource, match="switched off"):
        recognise(session, "CR1", "127.0.0.1")
    add(session, "CR1", "127.0.0.1", who="adam")
    assert known(session, "CR1", "127.0.0.1").is_enabled
    assert len(all_sources(session)) == 1


@pytest.mark.parametrize(
    ("ae_title", "address"), [("", "10.0.0.7"), ("A" * 17, "10.0.0.7"), ("CR1", "the ward")]
)
def test_source_with_a_wrong_title_or_address_is_refused(session: Session, ae_title: str, address: str) -> None:
    with pytest.raises(Invalid):
        add(session, ae_title, address, who="adam")


def test_addresses_have_one_spelling() -> None:
    assert canonical("::ffff:10.0.0.7") == "10.0.0.7"
    assert canonical("fe80::1%eth0") == "fe80::1"
    assert canonical("0:0:0:0:0:0:0:1") == "::1"
