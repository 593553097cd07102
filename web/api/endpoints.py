"""The endpoints: each does what a page does, by the same functions, for whoever shows a token."""

from typing import Any

from flask import abort, g, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel
from werkzeug.datastructures import WWWAuthenticate

from web import security
from web.api import shapes
from worklist import audit, database, settings
from worklist.accounts.tokens import Bearer, Scope, bearer
from worklist.reading import claims, first_opinion, turns, verdicts
from worklist.reading.first_opinion import READERS
from worklist.reading.judgement import DrawnMark, Judgement
from worklist.reading.verdicts import Seen
from worklist.tables import ReadingState, Role, Study, User
from worklist.triage import ranked_list
from worklist.triage.list_query import Filters
from worklist.triage.policy import current_policy
from worklist.triage.ranked_list import RankedRow
from worklist.triage.study_detail import study_detail

# The library evaluates annotations, and those of Flask's own type are texts.
Answer = dict[str, Any] | tuple[dict[str, Any] | str, int]

PROBLEMS: dict[Any, Any] = {str(status): shapes.Problem for status in (401, 403, 404, 409, 422, 503)}

bp = APIBlueprint("api", __name__, url_prefix="/api/v1", abp_security=[{"token": []}], abp_responses=PROBLEMS)
security.forms.exempt(bp)


@bp.before_request
def identify() -> None:
    """Find out for whom the token is good."""
    with database.transaction() as session:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        found = bearer(session, secret.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            challenge = WWWAuthenticate("bearer", {"realm": "worklist"})
            abort(401, "Send a token that is good: 'Authorization: Bearer …'.", www_authenticate=challenge)
        g.bearer, g.person = found, security.as_person(found.user)


@bp.get("/studies", summary="The ranked list", responses={"200": shapes.ListPage})
def listed(query: shapes.ListQuery) -> Answer:
    """Return a page of the list, the study to be read first at the top."""
    _needs(Scope.STUDIES)
    filters = Filters(query.state, query.part, query.attention, query.result, query.due, query.q)
    with database.reading() as session:
        is_hidden = _hides_list(session)
        if is_hidden and filters.attention is not None:
            abort(403, "What the classifier says is hidden from readers, and cannot be filtered by.")
        found = ranked_list.ranked_page(session, filters, after=query.after, limit=query.limit)
    return _json(
        shapes.ListPage(studies=[_listed(row, is_hidden=is_hidden) for row in found.rows], after=found.after)
    )


@bp.get("/counts", summary="How many studies wait", responses={"200": shapes.Counts})
def counts() -> Answer:
    """Count the studies that wait, by kind."""
    _needs(Scope.STUDIES)
    with database.reading() as session:
        found = vars(ranked_list.counts(session))
        if _hides_list(session):
            found = {**found, "flagged": None}
    return _json(shapes.Counts(**found))


@bp.get("/studies/<int:study_id>", summary="One study", responses={"200": shapes.StudyDetail})
def study(path: shapes.StudyPath) -> Answer:
    """Return a study with its images and verdicts; it is noted in the audit stream, and claims nothing."""
    person = _needs(Scope.STUDIES)
    with database.transaction() as session:
        shown = study_detail(session, path.study_id)
        row = session.get_one(Study, path.study_id)
        is_hidden = first_opinion.is_hidden(session, row, session.get_one(User, person.id))
        history = verdicts.history(session, path.study_id)
        if person.role in READERS and turns.is_blind(session, row, person.id):
            history = [past for past in history if past.user_id == person.id]
        audit.record(session, person.username, "study.opened", about=("study", path.study_id), by="token")
    values = {name: getattr(shown, name) for name in shapes.StudyDetail.model_fields if hasattr(shown, name)}
    return _json(
        shapes.StudyDetail(
            **{
                **values,
                "id": shown.study_id,
                "is_hidden": is_hidden,
                "probability": None if is_hidden else shown.study_probability,
                "attention": None if is_hidden else shown.attention,
                "images": [
                    shapes.Image(
                        id=view.instance_id,
                        label=view.label,
                        probability=None if is_hidden else view.probability,
                        has_heat_map=view.has_heat_map and not is_hidden,
                    )
                    for view in shown.views
                ],
                "verdicts": [_past(past) for past in history],
            }
        )
    )


@bp.post("/studies/<int:study_id>/claim", summary="Open a study", responses={"200": shapes.ClaimAnswer})
def claim(path: shapes.StudyPath, body: shapes.ClaimBody) -> Answer:
    """Open a study for its reader, or keep it open for another lease."""
    person = _needs(Scope.VERDICTS, *READERS)
    with database.transaction() as session:
        made = claims.claim(session, path.study_id, person.id, take_over=body.take_over)
        answer = shapes.ClaimAnswer(study_id=path.study_id, expires_at=made.expires_at)
    return _json(answer)


@bp.delete("/studies/<int:study_id>/claim", summary="Give a study back", responses={"204": None})
def release(path: shapes.StudyPath) -> Answer:
    """Close a study without a verdict; it waits for a reader again."""
    person = _needs(Scope.VERDICTS, *READERS)
    with database.transaction() as session:
        claims.existing_study(session, path.study_id)
        claims.release(session, path.study_id, person.id)
    return "", 204


@bp.post("/studies/<int:study_id>/defer", summary="Put a study off", responses={"204": None})
def defer(path: shapes.StudyPath) -> Answer:
    """Leave a study in the list, marked as deferred."""
    person = _needs(Scope.VERDICTS, *READERS)
    with database.transaction() as session:
        verdicts.defer(session, path.study_id, person.id)
    return "", 204


@bp.post("/studies/<int:study_id>/verdicts", summary="Judge a study", responses={"201": shapes.VerdictAnswer})
def judge(path: shapes.StudyPath, body: shapes.VerdictBody) -> Answer:
    """Store a verdict and close the study, or correct an own one. A new image since then refuses it (409)."""
    person = _needs(Scope.VERDICTS, *READERS)
    marks = tuple(DrawnMark(**mark.model_dump()) for mark in body.marks)
    judgement = Judgement(body.opinion, body.finding, body.heat_map, body.note.strip(), marks)
    seen = Seen(body.content_version, body.result_version, visible={"by": "token"})
    with database.transaction() as session:
        given = verdicts.give_verdict(session, path.study_id, person.id, judgement, seen=seen)
        answer = shapes.VerdictAnswer(id=given.id, study_id=given.study_id)
    return _json(answer), 201


@bp.post("/verdicts/<int:verdict_id>/retract", summary="Take a verdict back", responses={"204": None})
def retract(path: shapes.VerdictPath) -> Answer:
    """Take an own verdict back, or as a lead anybody's; its study waits for a reader again."""
    person = _needs(Scope.VERDICTS, *READERS)
    with database.transaction() as session:
        verdicts.retract(session, path.verdict_id, person.id)
    return "", 204


def _needs(scope: Scope, *roles: Role) -> security.Person:
    """Return who acts, or refuse: a token of another scope, or a person of another role."""
    shown: Bearer = g.bearer
    person = security.person()
    if scope not in shown.scopes:
        abort(403, f"This token lacks the scope {scope}.")
    allowed = roles or security.VIEWERS
    if person.role not in allowed:
        abort(403, f"This needs the role {' or '.join(allowed)}; the token is of a {person.role}.")
    return person


def _hides_list(session: Any) -> bool:
    if security.person().role not in READERS:
        return False
    return settings.current().anti_bias or current_policy(session).has_control_arm


def _listed(row: RankedRow, *, is_hidden: bool) -> shapes.ListedStudy:
    hides = is_hidden and row.reading_state is not ReadingState.READ
    values = {name: getattr(row, name) for name in shapes.ListedStudy.model_fields if hasattr(row, name)}
    return shapes.ListedStudy(
        **{
            **values,
            "id": row.study_id,
            "open_by": row.claimed_by,
            "is_hidden": hides,
            "probability": None if hides else row.study_probability,
            "attention": None if hides else row.attention,
            "reason": None if hides else row.reason,
        }
    )


def _past(past: verdicts.PastVerdict) -> shapes.PastVerdict:
    return shapes.PastVerdict(
        **{**vars(past.judgement), "marks": [shapes.Mark(**vars(mark)) for mark in past.judgement.marks]},
        id=past.id,
        reader=past.reader,
        turn=past.turn,
        given_at=past.given_at,
        stands=past.stands,
    )


def _json(answer: BaseModel) -> dict[str, Any]:
    return answer.model_dump(mode="json")
