"""The study page: open it, see image and result, judge it, go on to the next."""

from datetime import date

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from web import security
from web.study_page import NO_SCORE, claimed_until, collect, judgement, opinion, place, seen
from web.worklist_page import filters_from
from worklist import audit, database
from worklist.reading import claims, first_opinion, turns, verdicts
from worklist.reading.first_opinion import READERS
from worklist.triage import priors, ranked_list
from worklist.triage.study_detail import study_detail

bp = Blueprint("study", __name__)

# Whoever was faster this often at the moment of opening leaves the reader to the list.
TRIES = 5


@bp.get("/studies/<int:study_id>")
@security.role(*security.VIEWERS)
def page(study_id: int) -> ResponseReturnValue:
    """Open a study: for a reader if nobody else has it, to look at otherwise."""
    with database.transaction() as session:
        obstacle = _open(session, study_id)
        shown = collect(session, study_id, obstacle=obstacle)
    return render_template("study/page.html", shown=shown, no_score=NO_SCORE)


@bp.get("/studies/<int:study_id>/beside/<int:prior_id>")
@security.role(*security.VIEWERS)
def beside(study_id: int, prior_id: int) -> ResponseReturnValue:
    """Send the images of another study of the patient, to be shown beside."""
    who = security.person().username
    with database.transaction() as session:
        prior = priors.prior(session, study_id, prior_id)
        shown = study_detail(session, prior_id)
        audit.record(session, who, "study.compared", about=("study", prior_id), beside=study_id)
    return render_template("study/beside.html", prior=prior, views=shown.views)


@bp.get("/studies/next")
@security.role(*READERS)
def next_study() -> ResponseReturnValue:
    """Claim the study to read next and go to it, or say that nothing is left."""
    with database.transaction() as session:
        found = _claim_next(session, request.args.get("left", type=int))
        undo = verdicts.last_of(session, security.person().id) if found is None else None
    if found is None:
        return render_template("study/nothing_left.html", place=place(), undo=undo)
    return redirect(url_for(".page", study_id=found, **place()))


@bp.post("/studies/<int:study_id>/first-opinion")
@security.role(*READERS)
def begin(study_id: int) -> ResponseReturnValue:
    """Store what the reader thinks without the classifier, and show its result (anti-bias mode)."""
    with database.transaction() as session:
        first_opinion.give(session, study_id, security.person().id, opinion(request.form))
    return _go(url_for(".page", study_id=study_id, **place()))


@bp.post("/studies/<int:study_id>/verdict")
@security.role(*READERS)
def give(study_id: int) -> ResponseReturnValue:
    """Store what the reader thinks of the study and go on."""
    with database.transaction() as session:
        verdicts.give_verdict(
            session, study_id, security.person().id, judgement(request.form), seen=seen(request.form)
        )
    return _go(url_for(".next_study", left=study_id, **place()))


@bp.post("/studies/<int:study_id>/defer")
@security.role(*READERS)
def defer(study_id: int) -> ResponseReturnValue:
    """Put the study off and go on."""
    with database.transaction() as session:
        verdicts.defer(session, study_id, security.person().id)
    return _go(url_for(".next_study", left=study_id, **place()))


@bp.post("/studies/<int:study_id>/release")
@security.role(*security.VIEWERS)
def release(study_id: int) -> ResponseReturnValue:
    """Close the study without a verdict: to the next one, or back to the list."""
    with database.transaction() as session:
        claims.release(session, study_id, security.person().id, until=claimed_until(request.form))
    if request.form.get("then") == "next":
        return _go(url_for(".next_study", left=study_id, **place()))
    return _go(url_for("worklist_page.page", **place()))


@bp.post("/studies/<int:study_id>/take-over")
@security.role(*READERS)
def take_over(study_id: int) -> ResponseReturnValue:
    """Take the study from the reader who has it open."""
    with database.transaction() as session:
        claims.claim(session, study_id, security.person().id, take_over=True)
    return _go(url_for(".page", study_id=study_id, **place()))


@bp.post("/studies/<int:study_id>/renew")
@security.role(*READERS)
def renew(study_id: int) -> ResponseReturnValue:
    """Keep the claim of an open page, and tell it what has changed meanwhile."""
    with database.transaction() as session:
        renewed = claims.renew(session, study_id, security.person().id)
        study = claims.existing_study(session, study_id)
    return jsonify(
        until=renewed.expires_at.isoformat(),
        content_version=study.content_version,
        result_version=study.result_version,
    )


@bp.post("/verdicts/<int:verdict_id>/retract")
@security.role(*READERS)
def retract(verdict_id: int) -> ResponseReturnValue:
    """Take a verdict back and return to its study."""
    leaving = request.form.get("leaving", type=int)
    with database.transaction() as session:
        study_id = verdicts.retract(session, verdict_id, security.person().id)
        if leaving is not None and leaving != study_id:
            claims.release(session, leaving, security.person().id)
    return _go(url_for(".page", study_id=study_id, **place()))


def _open(session: Session, study_id: int) -> str:
    """Claim the study for a reader; return in words what stands against it."""
    obstacle = ""
    if security.person().role in READERS:
        try:
            claims.claim(session, study_id, security.person().id)
        except (claims.Held, claims.AlreadyRead, turns.NotYourTurn) as error:
            obstacle = str(error)
    audit.record(session, security.person().username, "study.opened", about=("study", study_id))
    return obstacle


def _claim_next(session: Session, left: int | None) -> int | None:
    filters, person = filters_from(request.args), security.person()
    for _ in range(TRIES):
        found = ranked_list.next_study_id(
            session, filters, after_study_id=left, only=turns.may_judge(person.id, person.role)
        )
        if found is None:
            return None
        try:
            return claims.claim(session, found, person.id).study_id
        except (claims.Held, turns.NotYourTurn):
            continue
    return None


def _go(address: str) -> ResponseReturnValue:
    """Send a form on; tell a script where to go."""
    if security.wants_page():
        return redirect(address, 303)
    return jsonify(next=address)


@bp.app_template_filter()
def date_words(stored: str) -> str:
    """Return a DICOM date as ``2 Mar 2026``; nothing if it is not a date."""
    try:
        return f"{date.fromisoformat(stored):%-d %b %Y}" if len(stored) == 8 else ""
    except ValueError:
        return ""
