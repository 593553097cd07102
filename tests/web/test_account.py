"""Signing in and out, and the password page."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from tests.web.conftest import PASSWORD, Visitor
from web import oidc
from worklist import accounts, clock, database, settings
from worklist.tables import Role, User

SignIn = Callable[[str], Visitor]


def test_reader_signs_in_and_sees_the_list(client: Visitor) -> None:
    answer = client.sign_in("rita")

    assert answer.location == "/"
    assert "Rita Reader" in client.get("/").text


def test_whoever_asked_for_a_page_gets_it_after_signing_in(client: Visitor) -> None:
    asked = client.get("/?part=WRIST&q=syn")
    assert asked.location == "/sign-in?next=/?part%3DWRIST%26q%3Dsyn"

    answer = client.sign_in("rita", next="/?part=WRIST&q=syn")

    assert answer.location == "/?part=WRIST&q=syn"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "/\\elsewhere.example/",
        "javascript:alert(1)",
        "/\n/elsewhere.example",
        "elsewhere",
    ],
)
def test_nobody_is_sent_to_another_site(client: Visitor, elsewhere: str) -> None:
    assert elsewhere not in client.get("/sign-in", query_string={"next": elsewhere}).text
    assert client.sign_in("rita", next=elsewhere).location == "/"


def test_wrong_password_and_unknown_name_get_the_same_answer(client: Visitor) -> None:
    wrong = client.sign_in("rita", password="not the password")
    unknown = client.sign_in("otto", password="not the password")

    assert wrong.status_code == unknown.status_code == 422
    assert "do not fit" in wrong.text
    assert wrong.text.replace("rita", "otto") == unknown.text


def test_typed_name_stays_and_typed_password_does_not(client: Visitor) -> None:
    page = client.sign_in("rita", password="not the password").text

    assert 'value="rita"' in page
    assert "not the password" not in page


def test_sixth_attempt_fails_even_with_the_right_password(client: Visitor) -> None:
    for _ in range(5):
        client.sign_in("rita", password="not the password")

    assert client.sign_in("rita").status_code == 422


def test_session_planted_before_signing_in_is_not_kept(client: Visitor) -> None:
    with client.session_transaction() as planted:
        planted["planted"] = "by somebody else"

    client.sign_in("rita")

    with client.session_transaction() as session:
        assert "planted" not in session


def test_signed_out_reader_sees_nothing_any_more(rita: Visitor) -> None:
    answer = rita.submit("/sign-out")

    assert answer.location == "/sign-in"
    assert "You are signed out." in rita.get("/sign-in").text
    assert rita.get("/").location == "/sign-in"


def test_signing_out_everywhere_reaches_the_other_workstation(sign_in: SignIn) -> None:
    here, there = sign_in("rita"), sign_in("rita")

    here.submit("/sign-out", everywhere="yes")

    assert there.get("/").location == "/sign-in"


def test_signing_out_here_leaves_the_other_workstation(sign_in: SignIn) -> None:
    here, there = sign_in("rita"), sign_in("rita")

    here.submit("/sign-out")

    assert there.get("/").status_code == 200


def test_changed_password_goes_on_here_and_ends_elsewhere(sign_in: SignIn) -> None:
    here, there = sign_in("rita"), sign_in("rita")

    new = "another set of words"
    answer = here.submit("/password", present=PASSWORD, new=new, again=new)

    assert answer.location == "/"
    assert "Your password is changed" in here.get("/").text
    assert there.get("/").location == "/sign-in"


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"present": PASSWORD, "new": "another set of words", "again": "yet another set"}, "passwords differ"),
        ({"present": "guess", "new": "another set of words", "again": "another set of words"}, "is not right"),
        ({"present": PASSWORD, "new": "short", "again": "short"}, "at least 12"),
        ({"present": PASSWORD, "new": PASSWORD, "again": PASSWORD}, "has to be another"),
        ({}, "is not right"),
    ],
)
def test_password_that_cannot_be_changed_is_explained(rita: Visitor, form: dict[str, str], reason: str) -> None:
    answer = rita.submit("/password", **form)

    assert answer.status_code == 422
    assert reason in answer.text


def test_given_password_has_to_be_changed_before_anything_is_seen(client: Visitor) -> None:
    with database.transaction() as session:
        accounts.create_user(
            session, username="nora", display_name="Nora New", password=PASSWORD, role=Role.READER
        )
    client.sign_in("nora")

    assert client.get("/").location == "/password"
    assert client.get("/rows", headers={"X-Background": "list"}).status_code == 403
    new = "another set of words"
    client.submit("/password", present=PASSWORD, new=new, again=new)
    assert client.get("/").status_code == 200


def test_page_says_that_it_is_not_a_medical_device_before_anybody_signs_in(client: Visitor) -> None:
    page = client.get("/sign-in").text

    assert "Not a medical device." in page
    assert "it does not diagnose" in page


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"sub": "rita-there", "auth_time": 0}, ""),
        ({"sub": "rita-there", "auth_time": -oidc.PROOF_SECONDS}, "The provider did not ask who you are."),
        ({"sub": "rita-there"}, "The provider did not ask who you are."),
        ({"sub": "lena-there", "auth_time": 0}, "You signed in there as somebody else."),
    ],
)
def test_only_who_was_asked_just_now_has_proved_who_they_are(
    rita: Visitor, monkeypatch: pytest.MonkeyPatch, claims: dict[str, Any], told: str
) -> None:
    issuer = "https://id.hospital.example"
    monkeypatch.setenv("WORKLIST_OIDC_ISSUER", issuer)
    settings.current.cache_clear()
    with database.transaction() as db:
        user = db.scalars(select(User).where(User.username == "rita")).one()
        user.issuer, user.subject = issuer, "rita-there"
    if "auth_time" in claims:
        claims = {**claims, "auth_time": int(clock.now().timestamp()) + claims["auth_time"]}
    monkeypatch.setattr(oidc, "_claims", lambda: claims)  # what the provider says, and nothing else
    with rita.session_transaction() as session:
        session[oidc.PURPOSE] = {"next": "/account/keys", "again": True}

    assert rita.get("/sign-in/provider/answer").location == "/account/keys"

    assert told in rita.get("/account/keys").text
    with rita.session_transaction() as session:
        assert (oidc.PROVED_AT in session) is (told == "")
