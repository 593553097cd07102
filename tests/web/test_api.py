"""The HTTP interface: tokens, scopes, what the pages hide, and a fuzzer that reads its document."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import select
from werkzeug.test import TestResponse

from tests.conftest import Clock
from tests.factories import make_study
from tests.web.conftest import Visitor
from worklist import database, settings
from worklist.accounts import tokens
from worklist.accounts.tokens import Scope
from worklist.tables import Attention, AuditEvent, BodyPart, ReadingState, Study, Token, User, Verdict

SignIn = Callable[[str], Visitor]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))


class Program:
    """A program that shows a token."""

    def __init__(self, app: Flask, username: str, *scopes: Scope, days: int = 1) -> None:
        with database.transaction() as session:
            user = session.scalars(select(User).where(User.username == username)).one()
            chosen = scopes or tuple(Scope)
            row, self.secret = tokens.create(session, user.id, "a program", chosen, days)
            self.token_id, self.user_id = row.id, user.id
        self.client = app.test_client()

    def ask(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.secret}"}
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **options)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json


@pytest.fixture
def program(app: Flask) -> Program:
    return Program(app, "rita")


@pytest.fixture
def study(people: None) -> Study:
    with database.transaction() as session:
        return make_study(session, probability=0.87, attention=Attention.FLAGGED, waiting_minutes=10)


def test_list_is_that_of_the_page_with_its_cursor(program: Program) -> None:
    with database.transaction() as session:
        made = [make_study(session, waiting_minutes=60 - number).id for number in range(5)]
        make_study(session, body_part=BodyPart.HAND)

    first = program.get("/studies?part=WRIST&limit=3")
    second = program.get(f"/studies?part=WRIST&limit=3&after={first['after']}")

    assert [row["id"] for row in first["studies"] + second["studies"]] == made
    assert second["after"] is None
    assert first["studies"][0]["patient_name"] == "SYNTHETIC^Rita"
    assert program.get("/counts")["open"] == 6


def test_study_is_opened_judged_corrected_and_taken_back(program: Program, study: Study) -> None:
    shown = program.get(f"/studies/{study.id}")
    assert (shown["probability"], shown["reading_state"], shown["verdicts"]) == (0.87, "unread", [])
    assert program.ask("POST", f"/studies/{study.id}/claim", json={}).status_code == 200
    versions = {name: shown[name] for name in ("content_version", "result_version")}

    given = program.ask("POST", f"/studies/{study.id}/verdicts", json={"opinion": "abnormal", **versions})

    assert given.status_code == 201
    corrected = program.ask(
        "POST",
        f"/studies/{study.id}/verdicts",
        json={"opinion": "abnormal", "finding": "fracture", "note": "Distal radius.", **versions},
    )
    shown = program.get(f"/studies/{study.id}")
    assert shown["reading_state"] == "read"
    assert [(past["id"], past["finding"], past["stands"]) for past in shown["verdicts"]] == [
        (corrected.json["id"], "fracture", True),
        (given.json["id"], None, False),
    ]
    assert program.ask("POST", f"/verdicts/{corrected.json['id']}/retract").status_code == 204
    assert program.get(f"/studies/{study.id}")["reading_state"] == "unread"


def test_verdict_without_a_new_image_is_refused(program: Program, study: Study) -> None:
    body = {"opinion": "normal", "content_version": study.content_version - 1, "result_version": 1}
    answer = program.ask("POST", f"/studies/{study.id}/verdicts", json=body)
    assert answer.status_code == 409
    assert "A new image came at" in answer.json["error"]


def test_study_of_another_reader_is_refused_by_name(app: Flask, program: Program, study: Study) -> None:
    Program(app, "lena").ask("POST", f"/studies/{study.id}/claim", json={})
    answer = program.ask("POST", f"/studies/{study.id}/claim", json={})
    assert answer.status_code == 409
    assert "Lena Lead" in answer.json["error"]
    taken = program.ask("POST", f"/studies/{study.id}/claim", json={"take_over": True})
    assert taken.status_code == 200


def test_given_back_and_put_off(program: Program, study: Study) -> None:
    program.ask("POST", f"/studies/{study.id}/claim", json={})
    assert program.ask("DELETE", f"/studies/{study.id}/claim").status_code == 204
    assert program.get(f"/studies/{study.id}")["reading_state"] == "unread"
    assert program.ask("POST", f"/studies/{study.id}/defer").status_code == 204
    assert program.get("/studies?state=deferred")["studies"][0]["id"] == study.id


@pytest.mark.parametrize(
    ("authorization", "why"),
    [
        (None, "no token"),
        ("Bearer worklist_nonsense", "an unknown token"),
        ("Basic cml0YTp4", "another scheme"),
        ("Bearer", "nothing"),
    ],
)
def test_without_a_good_token_nothing_is_told(
    client: Visitor, study: Study, authorization: str | None, why: str
) -> None:
    answer = client.get("/api/v1/studies", headers={"Authorization": authorization} if authorization else {})
    assert answer.status_code == 401, why
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json == {"error": "Send a token that is good: 'Authorization: Bearer …'."}


def test_cookie_opens_nothing(rita: Visitor) -> None:
    assert rita.get("/api/v1/studies").status_code == 401


def test_token_ends_on_its_day(app: Flask, frozen: Clock) -> None:
    program = Program(app, "rita", days=2)
    frozen.advance(days=1, hours=23)
    program.get("/counts")
    frozen.advance(hours=1)
    assert program.ask("GET", "/counts").status_code == 401


@pytest.mark.parametrize("change", [{"is_active": False}, {"must_change_password": True}])
def test_token_of_somebody_who_may_not_sign_in_is_good_for_nothing(
    program: Program, change: dict[str, bool]
) -> None:
    with database.transaction() as session:
        session.query(User).filter_by(id=program.user_id).update(change)
    assert program.ask("GET", "/counts").status_code == 401


def test_scope_and_role_limit_what_a_token_is_good_for(app: Flask, study: Study) -> None:
    only_looks = Program(app, "rita", Scope.STUDIES)
    assert only_looks.ask("POST", f"/studies/{study.id}/claim", json={}).json == {
        "error": "This token lacks the scope verdicts."
    }
    only_judges = Program(app, "rita", Scope.VERDICTS)
    assert only_judges.ask("GET", "/studies").status_code == 403
    administrator = Program(app, "adam")
    administrator.get("/studies")
    answer = administrator.ask("POST", f"/studies/{study.id}/claim", json={})
    assert answer.json == {"error": "This needs the role reader or lead; the token is of a administrator."}
    assert Program(app, "aude").ask("GET", "/studies").status_code == 403


def test_misspelt_filter_is_refused_and_does_not_show_everything(program: Program) -> None:
    answer = program.ask("GET", "/studies?body_part=WRIST")
    assert answer.status_code == 422
    assert answer.json == {"error": "body_part: Extra inputs are not permitted."}


def test_what_readers_must_not_know_is_not_told(
    program: Program, study: Study, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKLIST_ANTI_BIAS", "true")
    settings.current.cache_clear()
    (row,) = program.get("/studies")["studies"]
    assert (row["is_hidden"], row["probability"], row["attention"], row["reason"]) == (True, None, None, None)
    shown = program.get(f"/studies/{study.id}")
    assert (shown["is_hidden"], shown["probability"], shown["attention"]) == (True, None, None)
    assert program.get("/counts")["flagged"] is None
    assert program.ask("GET", "/studies?attention=flagged").status_code == 403
    assert Program(app, "adam").get("/studies")["studies"][0]["probability"] == 0.87


def test_every_look_is_in_the_audit_stream(program: Program, study: Study) -> None:
    program.get(f"/studies/{study.id}")
    with database.reading() as session:
        (event,) = session.scalars(select(AuditEvent).where(AuditEvent.action == "study.opened"))
    assert (event.who, event.about_id, event.detail) == ("rita", study.id, {"by": "token"})


def test_token_is_made_shown_once_used_and_revoked_on_its_page(rita: Visitor, app: Flask) -> None:
    page = rita.submit("/account/tokens", name="night report", scope=["studies"], days="30").text
    secret = page.split('id="secret">')[1].split("<")[0]
    assert secret.startswith("worklist_")
    answer = app.test_client().get("/api/v1/counts", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    page = rita.get("/account/tokens").text
    assert "night report" in page
    assert secret not in page
    with database.reading() as session:
        row = session.scalars(select(Token)).one()
        assert secret not in str(vars(row))
        assert row.used_at is not None
        assert row.expires_at - row.created_at == timedelta(days=30)
    assert rita.submit(f"/account/tokens/{row.id}/revoke").status_code == 303
    answer = app.test_client().get("/api/v1/counts", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"name": "", "scope": ["studies"], "days": "3"}, "A token needs a name of 1 to 64 characters"),
        ({"name": "x", "days": "3"}, "A token without a scope is good for nothing"),
        ({"name": "x", "scope": ["everything"], "days": "3"}, "There is no scope"),
        ({"name": "x", "scope": ["studies"], "days": "0"}, "A token lives 1 to 366 days, not 0."),
        ({"name": "x", "scope": ["studies"], "days": "soon"}, "The number of days is not a whole number."),
    ],
)
def test_bad_token_is_refused_in_words(rita: Visitor, form: dict[str, Any], sentence: str) -> None:
    answer = rita.submit("/account/tokens", **form)
    assert answer.status_code == 422
    assert sentence in answer.text


def test_nobody_revokes_the_token_of_another(sign_in: SignIn, program: Program) -> None:
    assert sign_in("lena").submit(f"/account/tokens/{program.token_id}/revoke").status_code == 404
    program.get("/counts")


def test_page_and_document_name_every_endpoint(rita: Visitor, client: Visitor, app: Flask) -> None:
    document = client.get("/api/openapi.json").json
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("api.")}
    assert {path.replace("{", "<int:").replace("}", ">") for path in document["paths"]} == rules
    page = rita.get("/api").text
    for path in document["paths"]:
        assert path in page


@pytest.fixture
def fuzzed(app: Flask, program: Program) -> Program:
    with database.transaction() as session:
        for number in range(3):
            make_study(session, probability=number / 3)
        reader = session.scalars(select(User).where(User.username == "rita")).one()
        read = make_study(session, reading_state=ReadingState.READ, is_open=False)
        values = {"result_version": 1, "visible": {}, "given_at": read.received_at}
        session.add(Verdict(study_id=read.id, user_id=reader.id, opinion="normal", **values))
    return program


CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


def test_whatever_a_fuzzer_sends_is_answered_as_the_document_says(app: Flask, fuzzed: Program) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    tried: set[str] = set()

    def send(case: schemathesis.Case) -> None:
        tried.add(f"{case.method} {case.path}")
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {fuzzed.secret}"}
        case.call_and_validate(checks=CHECKS)

    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            strategy = operation.as_strategy(generation_mode=mode)
            run = hypothesis_settings(
                max_examples=EXAMPLES,
                deadline=None,
                derandomize=True,
                database=None,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            )
            run(given(case=strategy)(send))()
    assert len(tried) == sum(len(methods) for methods in schema.raw_schema["paths"].values())
