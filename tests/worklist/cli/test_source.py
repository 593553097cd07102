"""The commands about who may send: what they change, say and leave behind."""

from dataclasses import fields
from typing import Any

import click
import pytest
from sqlalchemy import select

from worklist import cli, database, settings
from worklist.cli.source import add_source
from worklist.intake import sources
from worklist.intake.sources import Rules
from worklist.tables import AuditEvent, BodyPart, ClinicalPriority

ALL = (
    *("--name", "Room 1", "--default-body-part", "wrist", "--clinical-priority", "stat"),
    *("--quiet-seconds", "30", "--character-set", "iso_ir 144", "--port", "11112", "--tls"),
)
RULES = Rules("Room 1", BodyPart.WRIST, ClinicalPriority.STAT, 30, "ISO_IR 144", 11112, True)


@pytest.fixture
def command(site: settings.Settings, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command about sources; return its exit status and all that it said."""

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["source", *arguments])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return run


def rules() -> list[Rules]:
    with database.reading() as session:
        return [sources.rules_of(row) for row in sources.all_sources(session)]


def events() -> list[tuple[str, str, dict[str, Any]]]:
    with database.reading() as session:
        rows = session.scalars(select(AuditEvent).order_by(AuditEvent.id))
        return [(event.who, event.action, event.detail) for event in rows]


def test_source_is_added_and_listed(command: Any) -> None:
    assert command("add", "ROOM-1", "192.0.2.7") == (0, "ROOM-1 at 192.0.2.7 may send images.\n")
    assert rules() == [Rules()]
    assert "ROOM-1 at 192.0.2.7  may send  last seen" in command("list")[1]


def test_every_rule_of_the_page_is_an_option_with_a_help_text() -> None:
    options = {option.name: option.help for option in add_source.params if isinstance(option, click.Option)}
    assert set(options) == {field.name for field in fields(Rules)}
    assert all(options.values())


def test_rules_are_given_and_noted_as_the_page_notes_them(command: Any) -> None:
    assert command("add", "CR1", "192.0.2.7", *ALL)[0] == 0
    assert rules() == [RULES]
    added, changed = events()
    assert added[:2] == ("command line", "source.added")
    assert changed[:2] == ("command line", "source.changed")
    assert changed[2] == {
        "name": "Room 1",
        "default_body_part": "WRIST",
        "clinical_priority": "STAT",
        "quiet_seconds": 30,
        "character_set": "ISO_IR 144",
        "port": 11112,
        "uses_tls": True,
    }


def test_what_is_not_given_stays(command: Any) -> None:
    command("add", "CR1", "192.0.2.7", *ALL)
    command("add", "CR1", "192.0.2.7", "--clinical-priority", "HIGH")
    (changed,) = rules()
    assert changed == Rules("Room 1", BodyPart.WRIST, ClinicalPriority.HIGH, 30, "ISO_IR 144", 11112, True)
    assert events()[-1] == ("command line", "source.changed", {"clinical_priority": "HIGH"})


def test_rules_are_taken_back(command: Any) -> None:
    command("add", "CR1", "192.0.2.7", *ALL)
    nothing = ("--default-body-part", "--quiet-seconds", "--character-set", "--port")
    command(
        *("add", "CR1", "192.0.2.7", "--name", "", "--clinical-priority", "routine", "--no-tls"),
        *(part for option in nothing for part in (option, "none")),
    )
    assert rules() == [Rules()]


def test_list_tells_the_rules(command: Any) -> None:
    command("add", "CR1", "192.0.2.7", *ALL)
    assert (
        "CR1 at 192.0.2.7  may send  called Room 1  WRIST if none is named  STAT  complete after 30 s  "
        "ISO_IR 144 if none is named  listens at 11112 with TLS  last seen"
    ) in command("list")[1]


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        (
            "--default-body-part",
            "TOE",
            "TOE is no body part: name one of ELBOW, FINGER,",
        ),
        ("--clinical-priority", "none", "none is no clinical priority: name one of STAT, HIGH, ROUTINE.\n"),
        ("--quiet-seconds", "soon", "soon is no time in seconds: give a number, or none.\n"),
        ("--quiet-seconds", "nan", "The quiet time is more than 0 and at most 3600 s, not nan s.\n"),
        ("--quiet-seconds", "0", "The quiet time is more than 0 and at most 3600 s, not 0 s.\n"),
        ("--character-set", "KOI8", "KOI8 is no character set that can be assumed: name one of ISO_IR 100,"),
        ("--port", "dicom", "dicom is no port: give a number, or none.\n"),
        ("--port", "0", "A port is a number from 1 to 65535, not 0.\n"),
        ("--name", "x" * 65, "The name of a source has at most 64 characters, this one has 65.\n"),
    ],
)
def test_what_is_no_rule_is_refused_in_one_sentence_and_nothing_is_changed(
    command: Any, option: str, value: str, sentence: str
) -> None:
    status, said = command("add", "CR1", "192.0.2.7", option, value)
    assert status == 1
    assert said.startswith(sentence)
    assert said.count("\n") == 1
    assert (rules(), events()) == ([], [])


@pytest.mark.parametrize(
    ("ae_title", "address", "sentence"),
    [
        ("A-TITLE-OF-17-CHARS", "192.0.2.7", "An AE title has 1 to 16 characters"),
        ("CR1", "room-1", "room-1 is not an IP address."),
    ],
)
def test_who_cannot_be_a_source_is_refused_in_words(
    command: Any, ae_title: str, address: str, sentence: str
) -> None:
    status, said = command("add", ae_title, address)
    assert status == 1
    assert said.startswith(sentence)
