"""The administrator's page of the ranking policy: what waiting is worth, deadlines, the control arm."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from web import security
from web.administration import administrators_only
from worklist import database
from worklist.errors import Invalid
from worklist.reading import trial
from worklist.tables import ControlRule
from worklist.triage import control_arm, policy
from worklist.triage.ranking import Policy

bp = Blueprint("ranking", __name__, url_prefix="/admin/ranking")

# Field of the form → what it says beside it. All are minutes.
DURATIONS = {
    "tau": (
        "One unit of logit",
        "A study at 73 % stands as if it had come this much earlier than one at 50 %.",
    ),
    "stat_bonus": ("STAT", "As if it had come this much earlier."),
    "high_bonus": ("HIGH", "As if it had come this much earlier."),
    "stat_due": ("STAT", "From its arrival."),
    "high_due": ("HIGH", "From its arrival."),
    "routine_due": ("All else", "From its arrival."),
}
RULES = {
    ControlRule.NONE: "No control arm",
    ControlRule.DAY: "By day",
    ControlRule.SHIFT: "By shift",
    ControlRule.STUDY: "By study",
}
LONGEST_MINUTES = 60 * 24 * 365


@bp.get("")
@administrators_only
def page() -> ResponseReturnValue:
    """Show the policy in force, and what the control arm has shown so far."""
    return _page()


@bp.post("")
@administrators_only
def change() -> ResponseReturnValue:
    """Put another policy in force; every waiting study gets its new place and deadline."""
    try:
        with database.transaction() as session:
            in_force = policy.current_policy(session)
            wished = _policy_from(request.form, in_force)
            count = (
                policy.change_policy(session, wished, security.person().username)
                if wished != in_force
                else None
            )
    except Invalid as error:
        return _page(request.form, str(error)), 422
    if count is None:
        flash("Nothing was changed.")
    else:
        which = "study has its" if count == 1 else "studies have their"
        flash(f"The policy is in force. {count} waiting {which} new place.")
    return redirect(url_for(".page"), 303)


def _page(given: Mapping[str, str] | None = None, refusal: str = "") -> str:
    with database.reading() as session:
        in_force = policy.current_policy(session)
        since = trial.began(session)
        found = trial.trial(session, partial(control_arm.unit, in_force.control_rule), since) if since else None
    return render_template(
        "ranking/page.html",
        given=_fields(in_force) if given is None else given,
        refusal=refusal,
        durations=DURATIONS,
        rules=RULES,
        trial=found,
        usual=_fields(Policy()),
    )


def _fields(shown: Policy) -> dict[str, str]:
    minutes = {name: f"{getattr(shown, name) / timedelta(minutes=1):g}" for name in DURATIONS}
    return {**minutes, "control_rule": shown.control_rule, "control_share": f"{shown.control_share * 100:g}"}


def _policy_from(form: Mapping[str, str], in_force: Policy) -> Policy:
    rule = form.get("control_rule", "")
    if rule not in set(ControlRule):
        raise Invalid(f"The control arm is drawn by one of {', '.join(ControlRule)}, not {rule!r}.")
    return Policy(
        **{name: timedelta(minutes=_number(form, name, label)) for name, (label, _) in DURATIONS.items()},
        control_rule=rule,
        control_share=_number(form, "control_share", "Share of the control arm", most=100) / 100,
        control_seed=in_force.control_seed,
    )


def _number(form: Mapping[str, str], name: str, label: str, *, most: float = LONGEST_MINUTES) -> float:
    text = form.get(name, "").strip().replace(",", ".")
    try:
        number = float(text)
    except ValueError as error:
        raise Invalid(f"{label}: {text!r} is not a number.") from error
    if not 0 <= number <= most:
        raise Invalid(f"{label}: {text} is not between 0 and {most:,}.")
    return number
