"""The commands about who may send: ``worklist source --help``."""

from collections.abc import Callable, Iterable
from typing import Any

import click

from worklist import database
from worklist.dicom.character_sets import FALLBACKS
from worklist.errors import Invalid
from worklist.intake import sources
from worklist.tables import BodyPart, ClinicalPriority, Source

WHO = "command line"
NONE = "none"
CHARACTER_SETS = tuple(filter(None, FALLBACKS))


@click.group()
def source() -> None:
    """Say who may send images: a calling AE title at an address."""


@source.command(name="add")
@click.argument("ae_title")
@click.argument("address")
@click.option("--name", help="What people call it.")
@click.option(
    "--default-body-part",
    metavar="PART",
    help=f"Body part of images that name none: {', '.join(BodyPart)}, or none to assume none.",
)
@click.option(
    "--clinical-priority",
    metavar="PRIORITY",
    help=f"Clinical priority of its studies, at least: {', '.join(ClinicalPriority)}.",
)
@click.option(
    "--quiet-seconds",
    metavar="SECONDS",
    help="Seconds without a new image after which a study is complete, or none for WORKLIST_QUIET_SECONDS.",
)
@click.option(
    "--character-set",
    metavar="TERM",
    help=f"Character set of images that name none: {', '.join(CHARACTER_SETS)}, or none: {FALLBACKS['']}.",
)
@click.option(
    "--port",
    metavar="PORT",
    help="Where it listens itself, for answers to commitment requests and images it asks for, or none.",
)
@click.option("--tls/--no-tls", "uses_tls", default=None, help="Call it there with TLS.")
def add_source(ae_title: str, address: str, **options: Any) -> None:
    """Let AE_TITLE at ADDRESS send images; again with options: change them."""
    given = {name: READ[name](value) for name, value in options.items() if value is not None}
    with database.transaction() as session:
        sources.add(session, ae_title, address, who=WHO, **given)
    click.echo(f"{ae_title} at {address} may send images.")


@source.command(name="list")
def list_sources() -> None:
    """List all sources, their rules, and when they were last seen."""
    with database.reading() as session:
        for row in sources.all_sources(session):
            click.echo("  ".join((f"{row.ae_title} at {row.address}", *_facts(row))))


def _facts(row: Source) -> Iterable[str]:
    """Yield what there is to say of a source, rules only where they are not those of every source."""
    yield "may send" if row.is_enabled else "refused"
    if row.name:
        yield f"called {row.name}"
    if row.default_body_part:
        yield f"{row.default_body_part} if none is named"
    if row.clinical_priority is not ClinicalPriority.ROUTINE:
        yield row.clinical_priority
    if row.quiet_seconds is not None:
        yield f"complete after {row.quiet_seconds:g} s"
    if row.character_set:
        yield f"{row.character_set} if none is named"
    if row.port:
        yield f"listens at {row.port}{' with TLS' if row.uses_tls else ''}"
    yield f"last seen {row.last_seen_at:%Y-%m-%d %H:%M} UTC"


def _body_part(word: str) -> BodyPart | None:
    return None if word.lower() == NONE else BodyPart(_one_of((*BodyPart, NONE), word, "body part"))


def _clinical_priority(word: str) -> ClinicalPriority:
    return ClinicalPriority(_one_of(tuple(ClinicalPriority), word, "clinical priority"))


def _character_set(word: str) -> str:
    found = _one_of((*CHARACTER_SETS, NONE), word, "character set that can be assumed")
    return "" if found == NONE else found


def _one_of(words: Iterable[str], word: str, kind: str) -> str:
    found = next((one for one in words if one.lower() == word.lower()), None)
    if found is None:
        raise Invalid(f"{word} is no {kind}: name one of {', '.join(words)}.")
    return found


def _number(kind: type[int] | type[float], what: str) -> Callable[[str], float | None]:
    def read(value: str) -> float | None:
        try:
            return None if value.lower() == NONE else kind(value)
        except ValueError as error:
            raise Invalid(f"{value} is no {what}: give a number, or {NONE}.") from error

    return read


READ: dict[str, Callable[[Any], Any]] = {
    "name": str.strip,
    "default_body_part": _body_part,
    "clinical_priority": _clinical_priority,
    "quiet_seconds": _number(float, "time in seconds"),
    "character_set": _character_set,
    "port": _number(int, "port"),
    "uses_tls": bool,
}
"""From the text of an option to the value of the rule with its name."""
