"""``worklist classifier``: the life of a version from the command line."""

from pathlib import Path

import click

from worklist import database
from worklist.classifiers import promotion, versions
from worklist.cli.source import WHO
from worklist.evaluation import markdown
from worklist.evaluation.comparison import GateTest

_ANSWERS = {True: "yes", False: "NO", None: "could not be told"}


@click.group()
def classifier() -> None:
    """Register classifier versions, let them watch, and put one in charge."""


@classifier.command()
@click.argument("card", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def register(card: Path) -> None:
    """Add a version from its card; the weights lie beside it."""
    with database.transaction() as session:
        version = versions.register(session, card, WHO)
        click.echo(
            f"Registered {version.name} as a draft. 'worklist classifier shadow {version.name}' lets it watch, "
            f"'worklist classifier promote {version.name}' puts it in charge."
        )


@classifier.command(name="list")
def list_versions() -> None:
    """List all versions, the newest first."""
    with database.reading() as session:
        found = versions.versions(session)
    for version in found:
        demo = "  demo, not validated" if version.is_demo else ""
        click.echo(f"{version.name}  {version.state}{demo}")
    if not found:
        click.echo("There is none; 'worklist classifier register CARD' adds one.")


@classifier.command()
@click.argument("name")
def card(name: str) -> None:
    """Print the card of a version in Markdown: what it is, what it learnt from, its figures."""
    with database.reading() as session:
        click.echo(markdown.page(versions.named(session, name).card), nl=False)


@classifier.command()
@click.argument("name")
def shadow(name: str) -> None:
    """Let a version watch: it judges everything and shows nothing."""
    with database.transaction() as session:
        version = versions.watch(session, name, WHO)
    click.echo(f"{version.name} is in shadow.")


@classifier.command()
@click.argument("name")
def retire(name: str) -> None:
    """Take a draft or the version in shadow out of the running."""
    with database.transaction() as session:
        version = versions.retire(session, name, WHO)
    click.echo(f"{version.name} is retired; what it found is kept.")


@classifier.command()
@click.argument("name")
@click.option("--reason", default="", help="Why, if a question of the gate is not answered by yes.")
def promote(name: str, reason: str) -> None:
    """Put a version in charge, after the questions of the promotion gate; the former one is retired."""
    with database.transaction() as session:
        version_id = versions.named(session, name).id
        gate = promotion.gate(session, version_id)
        for where, tests in (("held-out studies", gate.held_out), ("studies since it watches", gate.live)):
            for test in tests:
                click.echo(_line(where, test))
        promotion.promote(session, version_id, WHO, reason=reason)
    click.echo(f"{name} is in charge. Studies that wait are scored anew.")


@classifier.command()
@click.option("--reason", default="", help="Why; it is kept in the audit stream.")
def rollback(reason: str) -> None:
    """Put the former version back in charge."""
    with database.transaction() as session:
        version = versions.roll_back(session, WHO, reason)
    click.echo(f"{version.name} is in charge again. Studies that wait are scored anew.")


def _line(where: str, test: GateTest) -> str:
    return f"{test.question} ({where}) {_ANSWERS[test.passed]}: {test.figure}"
