"""The administrator's pages of who sends: sources with their rules, and what was turned away lately."""

from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from web import security
from web.administration import administrators_only
from web.advice import advice
from worklist import clock, database
from worklist.dicom.character_sets import FALLBACKS
from worklist.errors import Invalid
from worklist.intake import rejections, sources
from worklist.intake.sources import Rules
from worklist.tables import BodyPart, ClinicalPriority

bp = Blueprint("sources", __name__, url_prefix="/admin/sources")

COUNTED = timedelta(days=7)
REJECTED = timedelta(days=14)
WORDS = {"parts": tuple(BodyPart), "priorities": tuple(ClinicalPriority), "character_sets": FALLBACKS}


@bp.get("")
@administrators_only
def page() -> ResponseReturnValue:
    """Show all sources, and what was turned away lately."""
    now = clock.now()
    with database.reading() as session:
        rows = sources.all_sources(session)
        counts = sources.image_counts(session, now - COUNTED)
        rejected = rejections.rejected_since(session, now - REJECTED)
    known = {(row.ae_title, row.address): row for row in rows}
    told = [(one, advice(one, known.get((one.calling, one.address)))) for one in rejected]
    return render_template("sources/page.html", sources=rows, counts=counts, told=told, words=WORDS)


@bp.get("/add")
@administrators_only
def add() -> ResponseReturnValue:
    """Show the form for a new source."""
    return render_template("sources/form.html", source=None, given=request.args, words=WORDS)


@bp.post("/add")
@administrators_only
def begin() -> ResponseReturnValue:
    """Let somebody send."""
    form = request.form
    try:
        with database.transaction() as session:
            who = security.person().username
            source = sources.add(session, form.get("ae_title", ""), form.get("address", ""), who=who)
            if "name" in form:
                sources.change(session, source.id, rules_from(form), who=who)
    except Invalid as error:
        return _again(None, error)
    flash(f"{source.ae_title} at {source.address} may send images.")
    return redirect(url_for(".page"), 303)


@bp.get("/<int:source_id>")
@administrators_only
def edit(source_id: int) -> ResponseReturnValue:
    """Show the rules of a source."""
    with database.reading() as session:
        source = sources.existing(session, source_id)
    given = vars(sources.rules_of(source))
    return render_template("sources/form.html", source=source, given=given, words=WORDS)


@bp.post("/<int:source_id>")
@administrators_only
def change(source_id: int) -> ResponseReturnValue:
    """Give a source other rules."""
    try:
        with database.transaction() as session:
            rules = rules_from(request.form)
            sources.change(session, source_id, rules, who=security.person().username)
    except Invalid as error:
        return _again(source_id, error)
    flash("Changed. The rules hold for images that come from now on.")
    return redirect(url_for(".page"), 303)


@bp.post("/<int:source_id>/switch")
@administrators_only
def switch(source_id: int) -> ResponseReturnValue:
    """Switch a source on or off."""
    is_enabled = request.form.get("is_enabled") == "yes"
    with database.transaction() as session:
        sources.switch(session, source_id, is_enabled=is_enabled, who=security.person().username)
    flash("It may send again." if is_enabled else "It is switched off: what it sends is refused.")
    return redirect(url_for(".page"), 303)


def rules_from(form: "MultiDict[str, str]") -> Rules:
    """Read the rules that a form holds.

    Raises
    ------
    Invalid
        If it holds a word that is none, or no number.
    """
    part = form.get("default_body_part", "")
    try:
        return Rules(
            name=form.get("name", "").strip(),
            default_body_part=BodyPart(part) if part else None,
            clinical_priority=ClinicalPriority(form.get("clinical_priority", "ROUTINE")),
            quiet_seconds=float(form["quiet_seconds"]) if form.get("quiet_seconds", "").strip() else None,
            character_set=form.get("character_set", ""),
            port=int(form["port"]) if form.get("port", "").strip() else None,
            uses_tls="uses_tls" in form,
        )
    except ValueError as error:
        raise Invalid(
            "Body part or clinical priority is none of the list, or time or port is no number."
        ) from error


def _again(source_id: int | None, error: Invalid) -> ResponseReturnValue:
    source = None
    if source_id is not None:
        with database.reading() as session:
            source = sources.existing(session, source_id)
    page = render_template(
        "sources/form.html", source=source, given=request.form, words=WORDS, refusal=str(error)
    )
    return page, 422
