"""Sign-in at an identity provider: a certified OpenID provider, a browser, and nothing between them."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from tests.conftest import forget
from tests.ports import free_port
from tests.web.browser.conftest import violations
from tests.web.conftest import PASSWORD, serve
from tests.web.versions import make_versions
from web import create_app
from worklist import accounts, database, settings
from worklist.errors import Invalid
from worklist.tables import AuditEvent, Role, User

pytestmark = pytest.mark.browser

PROVIDER = Path(__file__).parents[1] / "provider"
Visit = Callable[[], Page]


@pytest.fixture
def worklist(people: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a site that trusts a provider; both run."""
    provider, web = free_port(), free_port()
    address = f"http://127.0.0.1:{web}"
    for name, value in {
        "PUBLIC_URL": address,
        "OIDC_ISSUER": f"http://127.0.0.1:{provider}",
        "OIDC_CLIENT_ID": "worklist",
        "OIDC_CLIENT_SECRET": "a-secret-of-the-tests",
        "OIDC_NAME": "Hospital Test",
        "OIDC_ROLES": "IT = administrator; Radiology leads = lead; Radiologists = reader",
    }.items():
        monkeypatch.setenv(f"WORKLIST_{name}", value)
    forget()
    command = ["node", str(PROVIDER / "provider.js"), str(provider), address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "listening" in line:
            break
    with serve(create_app(settings.current()), web):
        yield address
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def visit(browser: Browser, worklist: str) -> Iterator[Visit]:
    """Return the sign-in page in a browser of its own; each call is another workstation."""
    pages: list[Page] = []

    def visit() -> Page:
        page = browser.new_context(base_url=worklist).new_page()
        page.set_default_timeout(40_000)
        pages.append(page)
        page.goto("/sign-in")
        return page

    yield visit
    for page in pages:
        page.context.close()


def sign_in(page: Page, name: str, *, from_list: bool = True) -> None:
    """Go to the provider, type name and password there, agree."""
    if from_list:
        page.get_by_role("link", name="Sign in with Hospital Test").click()
    page.get_by_placeholder("Enter any login").fill(name)
    page.get_by_placeholder("and password").fill("anything")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Continue").click()


def account(username: str) -> User | None:
    with database.reading() as session:
        return session.scalars(select(User).where(User.username == username)).one_or_none()


def acts(username: str) -> list[str]:
    with database.reading() as session:
        events = select(AuditEvent.action).where(AuditEvent.who == username).order_by(AuditEvent.id)
        return list(session.scalars(events))


def test_reader_comes_from_the_provider_and_leaves_both(visit: Visit, worklist: str) -> None:
    page = visit()
    assert violations(page) == []
    page.goto("/?state=read")  # asked for before anybody was signed in
    sign_in(page, "olga")
    expect(page).to_have_url(f"{worklist}/?state=read")
    expect(page.get_by_role("navigation", name="Account")).to_contain_text("Olga Provided")
    olga = account("olga")
    assert olga is not None
    assert (olga.role, olga.subject, olga.must_change_password) == (Role.READER, "subject-of-olga", False)
    assert acts("olga") == ["user.created", "user.signed_in"]

    page.goto("/password")
    expect(page.get_by_text("there is no password of yours here")).to_be_visible()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Yes, sign me out").click()
    expect(page).to_have_url(re.compile(f"{worklist}/sign-in"))
    # The provider has forgotten her too: it asks again.
    page.get_by_role("link", name="Sign in with Hospital Test").click()
    expect(page.get_by_placeholder("Enter any login")).to_be_visible()


def test_sign_out_works_when_the_provider_is_not_in_use_any_more(
    visit: Visit, worklist: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit()
    sign_in(page, "olga")
    expect(page.get_by_role("navigation", name="Account")).to_contain_text("Olga Provided")
    monkeypatch.setenv("WORKLIST_OIDC_ISSUER", "")
    settings.current.cache_clear()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url(f"{worklist}/sign-in")
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_second_sign_in_finds_the_same_account(visit: Visit) -> None:
    for _ in range(2):
        page = visit()
        sign_in(page, "olga")
        expect(page.get_by_role("navigation", name="Account")).to_contain_text("Olga Provided")
    assert acts("olga") == ["user.created", "user.signed_in", "user.signed_in"]


def test_groups_decide_and_the_first_that_fits_counts(visit: Visit) -> None:
    page = visit()
    sign_in(page, "ada")
    expect(page.get_by_role("link", name="Administration")).to_be_visible()
    page = visit()
    sign_in(page, "otto")
    expect(page.get_by_role("alert")).to_contain_text(
        "You are signed in there as otto, but in none of the groups that may work here"
    )
    assert account("otto") is None


def test_group_that_was_taken_away_takes_the_role_away(visit: Visit) -> None:
    sign_in(page := visit(), "ada")
    expect(page.get_by_role("link", name="Administration")).to_be_visible()
    with database.transaction() as session:  # as if she had been a lead when she came last
        session.scalars(select(User).where(User.username == "ada")).one().role = Role.LEAD
    sign_in(other := visit(), "ada")
    expect(other.get_by_role("link", name="Administration")).to_be_visible()
    page.goto("/")
    expect(page).to_have_url(re.compile("/sign-in"))  # the session with the former role is over


def test_local_account_is_not_taken_over_but_handed_over(visit: Visit) -> None:
    page = visit()
    sign_in(page, "lena")
    expect(page.get_by_role("alert")).to_contain_text(
        "the user name lena belongs to an account with a password"
    )

    adam = visit()
    adam.get_by_label("User name").fill("adam")
    adam.get_by_label("Password").fill(PASSWORD)
    adam.keyboard.press("Enter")
    expect(adam.get_by_role("navigation", name="Account")).to_be_visible()
    adam.goto("/admin/accounts")
    adam.get_by_role("button", name="Hand Adam Administrator over").click()
    expect(adam.get_by_text("the only administrator with a password here")).to_be_visible()
    adam.goto("/admin/accounts")
    adam.get_by_role("button", name="Hand Lena Lead over to Hospital Test").click()
    expect(adam.get_by_role("row", name="Lena Lead")).to_contain_text("With Hospital Test")
    assert violations(adam) == []

    before = account("lena")
    page = visit()
    sign_in(page, "lena")
    expect(page.get_by_role("navigation", name="Account")).to_contain_text("Lena Provided")
    after = account("lena")
    assert before is not None
    assert after is not None
    assert (before.id, before.subject, after.subject) == (after.id, None, "subject-of-lena")
    # Her former password opens nothing any more.
    with database.reading() as session:
        assert not accounts.check(session, "lena", PASSWORD).is_right
    # And back: a first password makes it a local account again.
    adam.get_by_role("button", name="New password for Lena Lead").click()
    lena = account("lena")
    assert lena is not None
    assert lena.issuer is None


def test_signing_asks_the_provider_again(visit: Visit) -> None:
    page = visit()
    sign_in(page, "ada")
    expect(page.get_by_role("navigation", name="Account")).to_be_visible()
    ids = make_versions()
    page.goto(f"/admin/classifiers/{ids['watching-1']}/gate")
    expect(page.get_by_role("button", name="Put in charge")).to_be_disabled()

    page.get_by_role("link", name="Prove who you are").click()
    sign_in(page, "olga", from_list=False)
    expect(page.get_by_text("You signed in there as somebody else.")).to_be_visible()
    expect(page.get_by_role("button", name="Put in charge")).to_be_disabled()

    page.get_by_role("link", name="Prove who you are").click()
    sign_in(page, "ada", from_list=False)
    assert violations(page) == []
    page.get_by_label("Reason").fill("The former one misses wrists that were plastered.")
    page.get_by_role("button", name="Put in charge").click()
    expect(page.get_by_text("watching-1 is in charge.")).to_be_visible()
    assert acts("ada")[-1] == "classifier.promoted"
    # One proof is good for one act.
    page.goto(f"/admin/classifiers/{ids['draft-1']}/gate")
    expect(page.get_by_role("button", name="Put in charge")).to_be_disabled()


def test_cancelled_forged_and_late_answers_sign_nobody_in(visit: Visit) -> None:
    page = visit()
    page.get_by_role("link", name="Sign in with Hospital Test").click()
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("The sign-in was cancelled there.")
    page.goto("/sign-in/provider/answer?code=forged&state=forged")
    expect(page.get_by_role("alert")).to_contain_text("begun in another browser")
    page.goto("/sign-in")
    page.get_by_role("link", name="Sign in with Hospital Test").click()
    page.goto("/sign-in/provider/answer?code=forged&state=forged")
    expect(page.get_by_role("alert")).to_contain_text("begun in another browser")
    expect(page.get_by_role("navigation", name="Account")).to_have_count(0)


def test_provider_that_does_not_answer_leaves_the_local_accounts(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit()
    monkeypatch.setenv("WORKLIST_OIDC_ISSUER", "http://127.0.0.1:9")
    forget()
    app = create_app(settings.current())
    answer = app.test_client().get("/sign-in/provider", headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert "Hospital Test cannot be asked at the moment. A local account works all the same." in answer.text
    page.get_by_label("User name").fill("rita")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Account")).to_contain_text("Rita Reader")


def test_half_of_the_settings_is_said_at_the_start(worklist: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKLIST_OIDC_ROLES", "")
    forget()
    with pytest.raises(Invalid, match="WORKLIST_OIDC_ISSUER is set, but not WORKLIST_OIDC_ROLES"):
        create_app(settings.current())


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("OIDC_ROLES", "Radiologists=king", "Radiologists=king is not like Radiologists=reader"),
        ("OIDC_ISSUER", "http://provider.example", "must begin with https://"),
        ("PUBLIC_URL", "worklist.example", "must begin with https://"),
    ],
)
def test_wrong_settings_are_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str, rule: str) -> None:
    monkeypatch.setenv(f"WORKLIST_{name}", value)
    with pytest.raises(Invalid, match=rule):
        settings.load()
