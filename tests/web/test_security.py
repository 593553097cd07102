"""Closed by default, forged requests, headers, expiry, errors in words."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, abort
from itsdangerous import TimestampSigner

from tests.web.conftest import PASSWORD, Visitor
from web import create_app, security
from worklist import database, settings
from worklist.errors import Conflict, Invalid, NotFound, Unavailable
from worklist.settings import Settings
from worklist.tables import Role, User

SignIn = Callable[[str], Visitor]


def every_address(app: Flask) -> list[tuple[str, str, str]]:
    """Each rule as (endpoint, method, address), with a 1 in every gap."""
    return [
        (rule.endpoint, method, re.sub(r"<[^>]+>", "1", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]


def test_nothing_but_the_public_pages_can_be_seen_without_signing_in(app: Flask, client: Visitor) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    closed = [address for address in every_address(app) if address[0] not in security.PUBLIC]

    assert len(closed) > 5
    for endpoint, method, address in closed:
        answer = client.open(address, method=method)
        if endpoint.startswith("api."):
            assert answer.status_code == 401, endpoint
            continue
        assert answer.location is not None, endpoint
        assert answer.location.startswith("/sign-in"), endpoint


def test_public_pages_exist(app: Flask) -> None:
    assert {endpoint for endpoint, _, _ in every_address(app)} >= security.PUBLIC


def test_script_is_told_that_nobody_is_signed_in(client: Visitor) -> None:
    answer = client.get("/rows", headers={"X-Background": "list"})

    assert answer.status_code == 401
    assert answer.json == {"error": "You are signed out. Sign in again."}


def test_no_form_works_without_its_token(app: Flask, rita: Visitor) -> None:
    for endpoint, method, address in every_address(app):
        # STOW-RS and the API take no cookie, on which a forged request could ride.
        if method == "POST" and endpoint != "stow.store" and not endpoint.startswith("api."):
            answer = rita.post(address)
            assert answer.status_code == 400, address
            assert "Reload it and try again" in answer.text


def test_every_answer_carries_the_headers(app: Flask, rita: Visitor) -> None:
    for address in ("/", "/sign-in", "/password", "/no-such-page", "/live", "/static/app.css"):
        with rita.get(address) as answer:
            headers = answer.headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';"), address
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("address", ["/", "/rows", "/sign-in", "/password", "/no-such-page"])
def test_pages_are_not_kept_by_the_browser(rita: Visitor, address: str) -> None:
    assert rita.get(address).headers["Cache-Control"] == "no-store"


def test_pages_hold_no_script_and_no_style_that_the_policy_forbids(rita: Visitor) -> None:
    for address in ("/", "/sign-in", "/password", "/no-such-page"):
        page = rita.get(address).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|javascript:", page), address


@pytest.mark.parametrize("secure", [False, True])
def test_cookie_is_out_of_reach_of_scripts_and_other_sites(site: Settings, people: None, secure: bool) -> None:
    app = create_app(site.model_copy(update={"secure_cookies": secure}))
    app.test_client_class = Visitor
    visitor = app.test_client()
    assert isinstance(visitor, Visitor)

    cookie = visitor.sign_in("rita", _secure=secure).headers["Set-Cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert ("Secure" in cookie) is secure


def test_missing_key_is_explained_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKLIST_SECRET_KEY", raising=False)

    with pytest.raises(Invalid, match=r"WORKLIST_SECRET_KEY is not set.*openssl rand"):
        create_app(settings.load())


class ClockOfCookies:
    """The clock by which cookies are signed and found too old."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _signer: self.now)

    def advance(self, hours: float) -> None:
        self.now += int(hours * 3600)


def test_session_ends_after_hours_without_activity(monkeypatch: pytest.MonkeyPatch, client: Visitor) -> None:
    clock = ClockOfCookies(monkeypatch)
    client.sign_in("rita")

    for _ in range(3):  # active all the time
        clock.advance(hours=11)
        assert client.get("/").status_code == 200
    clock.advance(hours=12.1)

    assert client.get("/").location == "/sign-in"


def test_polling_alone_does_not_keep_a_session(monkeypatch: pytest.MonkeyPatch, client: Visitor) -> None:
    clock = ClockOfCookies(monkeypatch)
    client.sign_in("rita")

    for _ in range(2):
        clock.advance(hours=5)
        assert client.get("/rows", headers={"X-Background": "list"}).status_code == 200
    clock.advance(hours=5)

    assert client.get("/rows", headers={"X-Background": "list"}).status_code == 401


def test_image_on_its_way_during_a_sign_out_does_not_bring_the_session_back(rita: Visitor) -> None:
    assert "Set-Cookie" in rita.get("/").headers

    answer = rita.get("/instances/1/pixels", headers={"Accept": "*/*"})

    assert "Set-Cookie" not in answer.headers


def test_account_that_is_switched_off_loses_its_session_at_once(rita: Visitor) -> None:
    with database.transaction() as session:
        session.query(User).filter_by(username="rita").update({"is_active": False})

    assert rita.get("/").location == "/sign-in"


@pytest.mark.parametrize("cookie", ["", "x", "1", "1.x", "999.0", "1.0.0"])
def test_cookie_that_names_nobody_is_no_sign_in(client: Visitor, cookie: str) -> None:
    with client.session_transaction() as session:
        session["_user_id"] = cookie

    assert client.get("/").location == "/sign-in"


def test_role_opens_a_page_to_some_only(app: Flask, sign_in: SignIn) -> None:
    app.add_url_rule("/closed", view_func=security.role(Role.ADMINISTRATOR, Role.LEAD)(lambda: "open"))

    assert sign_in("adam").get("/closed").text == "open"
    assert sign_in("lena").get("/closed").text == "open"
    refused = sign_in("rita").get("/closed")
    assert refused.status_code == 403
    assert "needs the role administrator or lead; you are signed in as reader" in refused.text


@pytest.fixture
def failing(app: Flask, sign_in: SignIn) -> Visitor:
    """Rita, with pages that fail in every way."""
    errors: dict[str, Exception] = {
        "404": NotFound("There is no study 7."),
        "409": Conflict("Lena has it open."),
        "422": Invalid("Part KNEE is not known."),
        "503": Unavailable("The database did not answer."),
        "500": RuntimeError("SYNTHETIC^Rita has a secret"),
    }

    def fail(kind: str) -> Any:
        raise errors[kind]

    app.add_url_rule("/fail/<kind>", view_func=fail)
    app.add_url_rule("/forbidden", view_func=lambda: abort(403, "Only for the lead."))
    return sign_in("rita")


@pytest.mark.parametrize(
    ("address", "status", "sentence"),
    [
        ("/fail/404", 404, "There is no study 7."),
        ("/fail/409", 409, "Lena has it open."),
        ("/fail/422", 422, "Part KNEE is not known."),
        ("/fail/503", 503, "The database did not answer."),
        ("/fail/500", 500, "it has been logged"),
        ("/forbidden", 403, "Only for the lead."),
        ("/no-such-page", 404, "There is no such page."),
    ],
)
def test_errors_are_sentences_for_people_and_for_scripts(
    failing: Visitor, address: str, status: int, sentence: str
) -> None:
    page = failing.get(address)
    data = failing.get(address, headers={"Accept": "application/json"})

    assert page.status_code == data.status_code == status
    assert sentence in page.text
    assert "Back to the list" in page.text
    assert sentence in data.json["error"]


def test_wrong_method_is_explained(rita: Visitor) -> None:
    answer = rita.get("/sign-out")

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_unforeseen_error_is_logged_without_its_text(
    failing: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    page = failing.get("/fail/500").text

    logged = caplog.text
    assert "RuntimeError" in logged
    assert "SYNTHETIC" not in logged + page


def test_error_page_appears_although_the_database_is_away(
    rita: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: Any) -> Any:
        raise Unavailable("The database did not answer: connection refused")

    monkeypatch.setattr(database, "reading", away)
    answer = rita.get("/")

    assert answer.status_code == 503
    assert "The database did not answer" in answer.text
    assert "Not a medical device." in answer.text


def test_nothing_that_was_searched_is_logged(rita: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    rita.get("/?q=SYNTHETIC&state=no-such-state")
    rita.get("/?q=SYNTHETIC")

    assert "SYNTHETIC" not in caplog.text


def test_password_is_never_part_of_a_page(rita: Visitor) -> None:
    assert PASSWORD not in rita.get("/password").text
