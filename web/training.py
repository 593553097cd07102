"""Retraining from the page: what readers have said, the form that starts a training, and each training live.

The form sends ``name``; ``start`` (version, imagenet or scratch) with ``base``, the name of a version;
``verdicts`` (on) and ``folder``; ``recipe`` (head, last-block or full), and whatever of the recipe shall differ
from it, by its own name.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from web import security
from web.administration import administrators_only
from web.training_progress import progress_of
from worklist import clock, database
from worklist.classifiers import new_verdicts, runs, versions
from worklist.classifiers.recipe import PRESETS, Layers, Precision
from worklist.classifiers.runs import Request
from worklist.classifiers.snapshots import FIT_SHARE, TUNE_SHARE
from worklist.errors import Conflict, Invalid, NotFound
from worklist.evaluation.comparison import RULES
from worklist.tables import ClassifierState, TrainingState

bp = Blueprint("training", __name__, url_prefix="/admin/training")

# What the form asks for by name beside the preset: whole numbers, other numbers, yes or no.
WHOLE = ("input_size_px", "epochs", "batch", "patience", "head_iterations", "seed")
NUMBERS = ("rate", "rotation_degrees")
SWITCHES = ("flips", "class_weights")
TEST_SHARE = 1 - FIT_SHARE - TUNE_SHARE

WORDS: dict[str, Any] = {
    "states": {
        TrainingState.QUEUED: "Waits for a worker",
        TrainingState.RUNNING: "Running",
        TrainingState.DONE: "Done",
        TrainingState.FAILED: "Failed",
        TrainingState.CANCELLED: "Cancelled",
    },
    "recipes": {
        "head": (
            "Last layer only",
            "Minutes on a computer without a GPU: the rest of the network stays as it is.",
        ),
        "last-block": ("Last block", "An hour or so without a GPU: a third of the network adapts."),
        "full": ("Whole network", "A night or more without a GPU; for thousands of studies."),
    },
    "starts": {
        "version": "A version of this site",
        "imagenet": "ImageNet weights",
        "scratch": "Chance",
    },
    "layers": Layers,
    "precisions": Precision,
    "presets": PRESETS,
}


@bp.get("")
@administrators_only
def page() -> ResponseReturnValue:
    """Show new verdicts, the form, and all trainings."""
    return _page({})


@bp.post("")
@administrators_only
def start() -> ResponseReturnValue:
    """Ask for a training."""
    form = request.form
    try:
        with database.transaction() as session:
            run = runs.ask(session, _request(form), security.person().username)
            run_id, name = run.id, run.name
    except (Invalid, Conflict, NotFound) as error:
        return _page(form, str(error)), 422
    flash(f"The training of {name} begins as soon as a worker is free.")
    return redirect(url_for(".run", run_id=run_id), 303)


@bp.get("/<int:run_id>")
@administrators_only
def run(run_id: int) -> ResponseReturnValue:
    """Show a training."""
    with database.reading() as session:
        shown = progress_of(session, run_id)
        base = versions.existing(session, shown.run.base_version_id) if shown.run.base_version_id else None
    return render_template("training/run.html", shown=shown, base=base, words=WORDS)


@bp.get("/<int:run_id>/progress")
@administrators_only
def progress(run_id: int) -> ResponseReturnValue:
    """Answer the poll of an open page: how far it is, or 204 while nothing has changed."""
    with database.reading() as session:
        shown = progress_of(session, run_id)
    if request.args.get("v") == shown.version:
        return "", 204
    return render_template("training/progress.html", shown=shown, words=WORDS)


@bp.post("/<int:run_id>/cancel")
@administrators_only
def cancel(run_id: int) -> ResponseReturnValue:
    """Stop a training."""
    with database.transaction() as session:
        run = runs.cancel(session, run_id, security.person().username)
    flash(
        f"The training of {run.name} stops at its next step. What it has computed so far is kept in its folder."
    )
    return redirect(url_for(".run", run_id=run_id), 303)


def _page(given: Mapping[str, Any], refusal: str = "") -> str:
    with database.reading() as session:
        known = versions.versions(session)
        counts = new_verdicts.count(session)
        since = new_verdicts.last_trained(session)
        trainings = runs.newest(session)
    champion = next((one for one in known if one.state is ClassifierState.CHAMPION), None)
    return render_template(
        "training/page.html",
        counts=counts,
        since=since,
        trainings=trainings,
        versions=known,
        champion=champion,
        given=given or _first(champion.name if champion else ""),
        suggestion=_suggestion({one.name for one in known} | {one.name for one in trainings}),
        refusal=refusal,
        # Labelled studies of each kind that make enough to measure for the gate.
        enough=round(RULES.cases / TEST_SHARE),
        words=WORDS,
    )


def _first(champion: str) -> dict[str, str]:
    """Return what the form proposes."""
    return {
        "start": "version" if champion else "imagenet",
        "base": champion,
        "verdicts": "on",
        "recipe": "head",
        "flips": "on",
        "class_weights": "on",
    }


def _suggestion(taken: set[str]) -> str:
    day = f"{clock.now():%Y-%m-%d}"
    names = [day, *(f"{day}-{letter}" for letter in "bcdefghijklmnopqrstuvwxyz")]
    return next((name for name in names if name not in taken), "")


def _request(form: Mapping[str, str]) -> Request:
    preset = PRESETS.get(form.get("recipe", ""))
    if preset is None:
        raise Invalid(f"The recipe is one of {', '.join(PRESETS)}.")
    recipe = asdict(preset)
    for name in (*WHOLE, *NUMBERS):
        if written := form.get(name, "").strip():
            recipe[name] = _number(name, written, int if name in WHOLE else float)
    recipe |= {name: name in form for name in SWITCHES}
    recipe["mixed_precision"] = form.get("mixed_precision") or preset.mixed_precision
    return Request(
        name=form.get("name", ""),
        recipe=recipe,
        start=form.get("start", ""),
        base=form.get("base", ""),
        verdicts="verdicts" in form,
        folder=form.get("folder", ""),
    )


def _number(name: str, written: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(written)
    except ValueError as error:
        wanted = "a whole number" if kind is int else "a number"
        raise Invalid(f"The recipe's {name} is {written!r}; it must be {wanted}.") from error
