"""The command line: ``worklist --help``."""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click

from worklist import accounts, database, logs, schema, settings
from worklist.cli.classifier import classifier
from worklist.cli.dataset import dataset
from worklist.cli.source import WHO, source
from worklist.errors import WorklistError
from worklist.reading import trial
from worklist.tables import ControlRule, Role
from worklist.triage import control_arm, policy
from worklist.triage.ranking import Policy


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def worklist() -> None:
    """An AI triage worklist for bone radiographs.

    Settings come from WORKLIST_* environment variables; 'worklist settings' shows them.
    """


worklist.add_command(dataset)


@worklist.command()
def receive() -> None:
    """Run the DICOM receiver until it is stopped."""
    from worklist.receiver import scp

    logs.configure(settings.current().log_level)
    schema.check(database.engine())
    scp.run(settings.current())


@worklist.command()
def web() -> None:
    """Run the web server until it is stopped."""
    _become("web")


@worklist.command()
@click.argument("kind", type=click.Choice(["inference", "background", "training"]))
def worker(kind: str) -> None:
    """Run a Celery worker until it is stopped."""
    _become("workers", kind)


@worklist.command()
def scheduler() -> None:
    """Run the scheduler of periodic jobs; one for each site."""
    _become("workers", "scheduler")


@worklist.command()
def migrate() -> None:
    """Bring the database to the schema of this version."""
    schema.upgrade(database.engine())
    click.echo(f"The database has schema {schema.head()}.")


@worklist.command(name="settings")
def show_settings() -> None:
    """Show the effective settings, without secrets."""
    current = settings.current()
    for name, field in type(current).model_fields.items():
        value = getattr(current, name)
        shown = "(secret)" if name in settings.SECRETS and value else value
        click.echo(f"{settings.PREFIX}{name.upper()}={shown}  # {field.description}")


@worklist.command(name="create-user")
@click.argument("username")
@click.option("--name", "display_name", help="Name shown to others; the user name if not given.")
@click.option("--role", type=click.Choice([role.value for role in Role]), default="reader", show_default=True)
@click.password_option(help="First password; it has to be changed at the first sign-in.")
def create_user(username: str, display_name: str | None, role: str, password: str) -> None:
    """Create an account."""
    with database.transaction() as session:
        accounts.create_user(
            session,
            username=username,
            display_name=display_name or username,
            password=password,
            role=Role(role),
            who=WHO,
        )
    click.echo(f"Account {username.lower()} ({role}) created; the first sign-in asks for another password.")


@worklist.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the receiver listens.")
@click.option("--port", type=int, help="Its port; WORKLIST_RECEIVER_PORT if not given.")
@click.option("--called", help="Its AE title; WORKLIST_AE_TITLE if not given.")
@click.option("--calling", default="WORKLIST-SEND", show_default=True, help="The AE title to call with.")
def send(folder: Path, host: str, port: int | None, called: str | None, calling: str) -> None:
    """Send the DICOM files of a folder, or one file, to a receiver."""
    from worklist.sender.send import send_folder

    current = settings.current()
    with click.progressbar(length=1, label="Sending", show_pos=True) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        report = send_folder(
            folder,
            host=host,
            port=port or current.receiver_port,
            called_ae_title=called or current.ae_title,
            calling_ae_title=calling,
            on_progress=progress,
        )
    click.echo(report.text())
    if report.failed:
        raise SystemExit(1)


worklist.add_command(classifier)
worklist.add_command(source)


@worklist.command()
@click.option("--tau-minutes", type=click.FloatRange(min=0), help="Minutes of waiting worth one unit of logit.")
@click.option("--stat-minutes", type=click.FloatRange(min=0), help="Minutes of waiting that STAT is worth.")
@click.option("--high-minutes", type=click.FloatRange(min=0), help="Minutes of waiting that HIGH is worth.")
@click.option("--stat-due-minutes", type=click.FloatRange(min=0), help="Minutes in which STAT should be read.")
@click.option("--high-due-minutes", type=click.FloatRange(min=0), help="Minutes in which HIGH should be read.")
@click.option("--routine-due-minutes", type=click.FloatRange(min=0), help="Minutes in which others should be.")
@click.option(
    "--control",
    type=click.Choice([rule.value for rule in ControlRule]),
    help="What goes into the control arm together.",
)
@click.option("--control-share", type=click.FloatRange(0, 1), help="How much of it goes there.")
def ranking(control: str | None, control_share: float | None, **minutes: float | None) -> None:
    """Show the ranking policy, or change it and give every waiting study its new place and deadline."""
    with database.transaction() as session:
        old = policy.current_policy(session)
        new = Policy(
            tau=_minutes(minutes["tau_minutes"], old.tau),
            stat_bonus=_minutes(minutes["stat_minutes"], old.stat_bonus),
            high_bonus=_minutes(minutes["high_minutes"], old.high_bonus),
            stat_due=_minutes(minutes["stat_due_minutes"], old.stat_due),
            high_due=_minutes(minutes["high_due_minutes"], old.high_due),
            routine_due=_minutes(minutes["routine_due_minutes"], old.routine_due),
            control_rule=control or old.control_rule,
            control_share=old.control_share if control_share is None else control_share,
            control_seed=old.control_seed,
        )
        if new != old:
            click.echo(f"{policy.change_policy(session, new, WHO)} waiting studies have their new place.")
    click.echo(
        f"One unit of logit is worth {new.tau}, STAT {new.stat_bonus}, HIGH {new.high_bonus} of waiting.\n"
        f"STAT is due {new.stat_due}, HIGH {new.high_due}, all else {new.routine_due} after it came."
    )
    if new.has_control_arm:
        click.echo(f"Control arm, by {new.control_rule}: {new.control_share:.0%} stand by arrival alone.")


@worklist.command(name="trial")
def show_trial() -> None:
    """Compare how long studies waited in the control arm and in the ranked one."""
    with database.reading() as session:
        in_force = policy.current_policy(session)
        since = trial.began(session)
        if since is None:
            click.echo(
                "There is no control arm; 'worklist ranking --control day --control-share 0.5' begins one."
            )
            return
        found = trial.trial(session, partial(control_arm.unit, in_force.control_rule), since)
    click.echo(
        f"Studies that arrived since {since:%d %b %Y, %H:%M} UTC and have been read; minutes of waiting:\n"
    )
    click.echo("arm      verdict    studies     mean   median      p95  longest")
    for (is_control, opinion), waited in found.arms.items():
        figures = "".join(f"{value:9.0f}" for value in (waited.mean, waited.median, waited.p95, waited.longest))
        click.echo(f"{'control' if is_control else 'ranked':9}{opinion:9}{waited.count:9}{figures}")
    if found.gain is None:
        few = trial.FEWEST_UNITS
        click.echo(
            f"\nFewer than {few} {in_force.control_rule}s with an abnormal study in one arm: no interval yet."
        )
    else:
        gain, low, high = found.gain
        click.echo(
            f"\nAbnormal studies were read {gain:.0f} min sooner by rank "
            f"(95 % interval {low:.0f} to {high:.0f})."
        )


@worklist.command()
@click.option(
    "--data", type=click.Path(path_type=Path), default=Path("var/demo"), show_default=True, help="Data folder."
)
@click.option("--fresh", is_flag=True, help="Begin with an empty list again.")
@click.option("--until-ranked", is_flag=True, help="Stop as soon as every sample study has its rank.")
def demo(data: Path, fresh: bool, until_ranked: bool) -> None:
    """Run everything on this computer and send sample radiographs; Ctrl-C stops it."""
    from worklist.demo import run

    run.run(data, fresh=fresh, until_ranked=until_ranked)


def _minutes(value: float | None, otherwise: timedelta) -> timedelta:
    return otherwise if value is None else timedelta(minutes=value)


def _become(*module: str) -> None:
    """Replace this process by another kind: this package may not import what those load."""
    os.execv(sys.executable, [sys.executable, "-m", *module])  # noqa: S606 - no shell is wanted


def main(arguments: list[str] | None = None, run: Callable[..., Any] = worklist) -> None:
    """Run a command; an error that a person can act on becomes one sentence and exit status 1."""
    try:
        run(arguments)
    except WorklistError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from error
