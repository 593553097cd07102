"""The page of accounts: first passwords, roles, switches, and who is left to administrate."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.web.conftest import PASSWORD, Visitor
from worklist import database, settings
from worklist.tables import AuditEvent, Role, User

ADDRESS = "/admin/accounts"
SHOWN = re.compile(r'class="first-password"><code>([^<]+)</code>')


@pytest.fixture
def adam(sign_in: Callable[[str], Visitor]) -> Visitor:
    """Adam has signed in."""
    return sign_in("adam")


def account(username: str) -> User:
    with database.reading() as session:
        return session.scalars(select(User).where(User.username == username)).one()


def first_password(page: str) -> str:
    found = SHOWN.search(page)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("who", ["rita", "lena", "aude"])
def test_only_administrators_manage_accounts(people: None, sign_in: Callable[[str], Visitor], who: str) -> None:
    visitor = sign_in(who)
    assert visitor.get(ADDRESS).status_code == 403
    assert visitor.submit(f"{ADDRESS}/{account('rita').id}", display_name="X", role="lead").status_code == 403


def test_a_new_person_signs_in_and_chooses_a_password(adam: Visitor, client: Visitor) -> None:
    answer = adam.submit(f"{ADDRESS}/add", username="Nora", display_name="Nora New", role="reader")
    password = first_password(answer.text)
    assert client.sign_in("nora", password).status_code == 302
    assert client.get("/").location == "/password"
    new = "entirely other words here"
    client.submit("/password", present=password, new=new, again=new)
    assert client.get("/").status_code == 200
    page = adam.get(ADDRESS).text
    assert "Nora New" in page
    assert password not in page


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"username": "rita"}, "There is already a user named rita."),
        ({"username": "a b"}, "A user name has 1 to 64 characters and no spaces."),
        ({"role": "king"}, "The role is one of reader, lead, administrator, auditor, service."),
        ({"display_name": "x" * 129}, "this one has 129"),
    ],
)
def test_what_cannot_be_is_said_and_the_form_keeps_what_was_written(
    adam: Visitor, form: dict[str, str], told: str
) -> None:
    given = {"username": "nora", "display_name": "Nora New", "role": "lead", **form}
    answer = adam.submit(f"{ADDRESS}/add", **given)
    assert answer.status_code == 422
    assert told in answer.text
    assert f'value="{given["username"]}"' in answer.text


def test_another_role_ends_the_sessions(adam: Visitor, rita: Visitor) -> None:
    rita_id = account("rita").id
    assert 'value="reader" checked' in adam.get(f"{ADDRESS}/{rita_id}").text
    answer = adam.submit(f"{ADDRESS}/{rita_id}", display_name="Rita Lead", role="lead")
    assert answer.status_code == 303
    assert (account("rita").role, account("rita").display_name) == (Role.LEAD, "Rita Lead")
    assert rita.get("/").status_code == 302


def test_whoever_is_switched_off_is_out_at_once(adam: Visitor, rita: Visitor, client: FlaskClient) -> None:
    address = f"{ADDRESS}/{account('rita').id}/switch"
    adam.submit(address, is_active="no")
    assert rita.get("/").status_code == 302
    assert rita.sign_in("rita").status_code == 422
    adam.submit(address, is_active="yes")
    assert rita.sign_in("rita").status_code == 302


def test_a_forgotten_password_is_replaced(adam: Visitor, rita: Visitor) -> None:
    answer = adam.submit(f"{ADDRESS}/{account('rita').id}/password")
    assert rita.get("/").status_code == 302
    assert rita.sign_in("rita", PASSWORD).status_code == 422
    assert rita.sign_in("rita", first_password(answer.text)).status_code == 302
    assert rita.get("/").location == "/password"


def test_who_mistyped_too_often_is_unlocked(adam: Visitor, client: Visitor) -> None:
    for _ in range(5):
        client.sign_in("rita", "wrong words all along")
    assert client.sign_in("rita").status_code == 422
    assert "Locked" in adam.get(ADDRESS).text
    adam.submit(f"{ADDRESS}/{account('rita').id}/unlock")
    assert client.sign_in("rita").status_code == 302


@pytest.mark.parametrize(("act", "form"), [("/switch", {"is_active": "no"}), ("", {"role": "reader"})])
def test_somebody_is_left_to_administrate(adam: Visitor, act: str, form: dict[str, str]) -> None:
    answer = adam.submit(f"{ADDRESS}/{account('adam').id}{act}", display_name="Adam", **form)
    assert answer.status_code in (409, 422)
    assert "is the only administrator: make somebody else one first." in answer.text
    assert (account("adam").role, account("adam").is_active) == (Role.ADMINISTRATOR, True)


def test_every_act_is_audited_without_the_password(adam: Visitor) -> None:
    page = adam.submit(f"{ADDRESS}/add", username="nora", display_name="Nora New", role="reader").text
    nora = account("nora").id
    adam.submit(f"{ADDRESS}/{nora}/password")
    adam.submit(f"{ADDRESS}/{nora}", display_name="Nora", role="auditor")
    adam.submit(f"{ADDRESS}/{nora}/switch", is_active="no")
    with database.reading() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.about_id == nora)).all()
    acts = [event.action for event in events if event.about_type == "user"]
    assert acts == ["user.created", "user.password_reset", "user.changed", "user.switched"]
    assert {event.who for event in events if event.about_type == "user"} == {"adam"}
    assert first_password(page) not in str([event.detail for event in events])
    assert adam.get(f"{ADDRESS}/999").status_code == 404


def test_account_that_does_not_exist_cannot_be_handed_over(
    adam: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert adam.submit(f"{ADDRESS}/1/hand-over").status_code == 422  # there is no provider
    monkeypatch.setenv("WORKLIST_OIDC_ISSUER", "https://id.hospital.example")
    settings.current.cache_clear()
    assert adam.submit(f"{ADDRESS}/999/hand-over").status_code == 404
