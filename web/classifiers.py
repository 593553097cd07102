"""The versions of the classifier: the list, the card of each, and the gate at which one is put in charge."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from web import oidc, security
from worklist import accounts, audit, database
from worklist.classifiers import promotion, runs, versions
from worklist.errors import Invalid
from worklist.evaluation.report import ALL
from worklist.tables import Attention, BodyPart, ClassifierState, ClassifierVersion, Role
from worklist.triage import rescoring

bp = Blueprint("classifiers", __name__, url_prefix="/admin/classifiers")

# A lead answers for the readings, an administrator for the site: either may sign.
signers_only = security.role(Role.ADMINISTRATOR, Role.LEAD)

REFUSED = "The password is not right, or this account is locked for a quarter of an hour."
WORDS: dict[str, Any] = {
    "states": {
        ClassifierState.DRAFT: ("Draft", "Registered; it judges nothing yet."),
        ClassifierState.SHADOW: ("In shadow", "It judges every image, and nobody sees what it says."),
        ClassifierState.CHAMPION: ("In charge", "Its scores order the list."),
        ClassifierState.RETIRED: ("Retired", "It judges nothing any more; what it found is kept."),
    },
    "figures": ("auc", "sensitivity", "specificity", "accuracy", "kappa"),
    "calibration": ("slope", "ece", "brier"),
    "points": {Attention.FLAGGED: "Flagged", Attention.LOOK_CLOSER: "Look closer"},
    "all": ALL,
    "parts": (ALL, *BodyPart),
    "acts": {
        "classifier.registered": "Registered",
        "classifier.in_shadow": "Put into shadow",
        "classifier.promoted": "Put in charge",
        "classifier.retired": "Retired",
    },
}


@bp.get("")
@signers_only
def page() -> ResponseReturnValue:
    """Show all versions, and how far those that judge are."""
    with database.reading() as session:
        rows = versions.versions(session)
        former = versions.former_champion(session)
        working = (ClassifierState.CHAMPION, ClassifierState.SHADOW)
        backlogs = {row.id: rescoring.backlog(session, row.id) for row in rows if row.state in working}
    return render_template(
        "classifiers/page.html",
        rows=rows,
        backlogs=backlogs,
        former=former,
        champion=_in(rows, ClassifierState.CHAMPION),
        shadow=_in(rows, ClassifierState.SHADOW),
        words=WORDS,
    )


@bp.get("/<int:version_id>")
@signers_only
def card(version_id: int) -> ResponseReturnValue:
    """Show the card of a version and its history."""
    with database.reading() as session:
        version = versions.existing(session, version_id)
        history = audit.about(session, "classifier_version", version_id)
        run = runs.of_version(session, version_id)
    return render_template("classifiers/card.html", row=version, run=run, history=history, words=WORDS)


@bp.post("/<int:version_id>/shadow")
@signers_only
def watch(version_id: int) -> ResponseReturnValue:
    """Let a version watch."""
    with database.transaction() as session:
        version = versions.watch(session, versions.existing(session, version_id).name, _who())
    flash(f"{version.name} is in shadow: it judges every image from now on, and what waits for its reader.")
    return redirect(url_for(".page"), 303)


@bp.post("/<int:version_id>/retire")
@signers_only
def retire(version_id: int) -> ResponseReturnValue:
    """Take a version out of the running."""
    with database.transaction() as session:
        version = versions.retire(session, versions.existing(session, version_id).name, _who())
    flash(f"{version.name} is retired. What it found is kept.")
    return redirect(url_for(".page"), 303)


@bp.post("/roll-back")
@signers_only
def roll_back() -> ResponseReturnValue:
    """Put the former version back in charge."""
    reason = request.form.get("reason", "").strip()
    if not reason:
        raise Invalid("Say why the former version is put back in charge: the audit stream keeps it.")
    with database.transaction() as session:
        version = versions.roll_back(session, _who(), reason)
    flash(f"{version.name} is in charge again. Studies that wait are scored anew.")
    return redirect(url_for(".page"), 303)


@bp.get("/<int:version_id>/gate")
@signers_only
def gate(version_id: int) -> ResponseReturnValue:
    """Show what is known of a candidate, and the form that puts it in charge."""
    return _gate(version_id)


@bp.post("/<int:version_id>/gate")
@signers_only
def sign(version_id: int) -> ResponseReturnValue:
    """Put a candidate in charge, signed with the person's password."""
    person, form = security.person(), request.form
    if not _is_them(person, form.get("password", "")):
        return _gate(version_id, REFUSED, form.get("reason", "")), 422
    try:
        with database.transaction() as session:
            version = promotion.promote(
                session,
                version_id,
                person.username,
                reason=form.get("reason", ""),
                seen=form.get("seen", ""),
            )
    except Invalid as error:
        return _gate(version_id, str(error), form.get("reason", "")), 422
    flash(
        f"{version.name} is in charge. Studies that wait are scored anew; until then the former scores stand."
    )
    return redirect(url_for(".page"), 303)


def _is_them(person: security.Person, password: str) -> bool:
    if not person.has_password:
        return oidc.use_proof()
    with database.reading() as session:
        attempt = accounts.check(session, person.username, password)
    with database.transaction() as session:
        return accounts.confirm(session, attempt) is not None


def _gate(version_id: int, refusal: str = "", reason: str = "") -> str:
    with database.reading() as session:
        found = promotion.gate(session, version_id)
    return render_template(
        "classifiers/gate.html",
        gate=found,
        refusal=refusal,
        reason=reason,
        shortest=promotion.SHORTEST_REASON,
        words=WORDS,
    )


def _in(rows: list[ClassifierVersion], state: ClassifierState) -> ClassifierVersion | None:
    return next((row for row in rows if row.state is state), None)


def _who() -> str:
    return security.person().username
