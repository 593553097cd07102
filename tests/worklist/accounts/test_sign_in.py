"""Passwords, lock-out and the end of sessions."""

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.conftest import Clock
from worklist import accounts
from worklist.accounts import WrongPassword
from worklist.errors import Conflict, Invalid
from worklist.tables import AuditEvent, Role, User

PASSWORD = "four quite unrelated words"


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make passwords cost nothing."""
    use_hasher(monkeypatch, time_cost=1)


def use_hasher(monkeypatch: pytest.MonkeyPatch, time_cost: int) -> None:
    cheap = PasswordHasher(time_cost=time_cost, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "hasher", lambda: cheap)


@pytest.fixture
def rita(session: Session) -> User:
    """Rita, a reader."""
    return create(session)


def create(session: Session, username: str = "rita", password: str = PASSWORD) -> User:
    return accounts.create_user(
        session, username=username, display_name="Rita Reader", password=password, role=Role.READER
    )


def attempt(session: Session, username: str = "rita", password: str = PASSWORD) -> User | None:
    return accounts.sign_in(session, accounts.check(session, username, password))


def actions(session: Session) -> list[tuple[str, str]]:
    events = session.scalars(select(AuditEvent).order_by(AuditEvent.id))
    return [(event.action, event.detail.get("reason", "")) for event in events]


def test_user_signs_in_whatever_the_case_of_the_name(session: Session) -> None:
    create(session, username="  Rita ")

    user = attempt(session, username="RITA")

    assert user is not None
    assert user.username == "rita"
    assert user.signed_in_at is not None


def test_new_account_has_to_change_its_password_first(rita: User) -> None:
    assert rita.must_change_password


def test_password_is_not_stored_in_clear(rita: User) -> None:
    assert rita.password_hash.startswith("$argon2id$")
    assert PASSWORD not in rita.password_hash


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "at least 12"),
        ("a" * 300, "at most 256"),
        ("Rita's own password", "contains the user name"),
        ("abababababab", "five different characters"),
    ],
)
def test_weak_password_is_refused_with_the_reason(session: Session, password: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        create(session, password=password)


@pytest.mark.parametrize("username", ["", " ", "rita reader", "r" * 65, "rita\n2"])
def test_odd_user_names_are_refused(session: Session, username: str) -> None:
    with pytest.raises(Invalid, match="1 to 64 characters"):
        create(session, username=username)


def test_name_is_given_once(session: Session, rita: User) -> None:
    with pytest.raises(Conflict, match="already a user named rita"):
        create(session, username="RITA")


def test_wrong_password_is_refused_and_noted(session: Session, rita: User) -> None:
    assert attempt(session, password="three quite unrelated words") is None
    assert actions(session)[-1] == ("user.sign_in_failed", "wrong password")


def test_unknown_name_is_refused_and_not_kept(session: Session, rita: User) -> None:
    assert attempt(session, username="my secret typed into the wrong field") is None

    event = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert event is not None
    assert event.about_id is None
    assert "secret" not in f"{event.who} {event.detail}"


def test_unknown_name_costs_as_much_work_as_a_known_one(
    session: Session, rita: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
            verified.append(str(password))
            return super().verify(hash, password)

    counting = Counting(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "hasher", lambda: counting)

    accounts.check(session, "nobody", "guess")

    assert verified == ["guess"]


def test_account_is_closed_for_a_quarter_of_an_hour_after_five_failures(
    session: Session, rita: User, frozen: Clock
) -> None:
    for _ in range(5):
        attempt(session, password="wrong")
    assert attempt(session) is None
    assert actions(session)[-1] == ("user.sign_in_failed", "locked")

    frozen.advance(minutes=14, seconds=59)
    assert attempt(session) is None
    frozen.advance(seconds=2)
    assert attempt(session) is not None


def test_trying_while_locked_does_not_lengthen_the_lock(session: Session, rita: User, frozen: Clock) -> None:
    for _ in range(12):
        attempt(session, password="wrong")

    frozen.advance(minutes=15, seconds=1)

    assert attempt(session) is not None


def test_success_forgets_earlier_failures(session: Session, rita: User) -> None:
    for _ in range(3):
        for _ in range(4):
            attempt(session, password="wrong")
        assert attempt(session) is not None


def test_account_that_is_switched_off_cannot_sign_in(session: Session, rita: User) -> None:
    rita.is_active = False

    assert attempt(session) is None
    assert accounts.signed_in_user(session, rita.id, rita.session_epoch) is None


def test_hash_is_renewed_when_its_cost_changes(
    session: Session, rita: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rita.password_hash
    use_hasher(monkeypatch, time_cost=2)

    assert attempt(session) is not None

    assert rita.password_hash != before
    assert "t=2" in rita.password_hash
    assert attempt(session) is not None


def test_changed_password_is_the_only_one_that_works_and_ends_older_sessions(
    session: Session, rita: User
) -> None:
    epoch = rita.session_epoch

    accounts.change_password(session, rita.id, present=PASSWORD, new="another set of words")

    assert not rita.must_change_password
    assert attempt(session) is None
    assert attempt(session, password="another set of words") is not None
    assert accounts.signed_in_user(session, rita.id, epoch) is None
    assert ("user.password_changed", "") in actions(session)


def test_password_is_not_changed_by_somebody_who_does_not_know_it(session: Session, rita: User) -> None:
    with pytest.raises(WrongPassword):
        accounts.change_password(session, rita.id, present="guess", new="another set of words")


def test_new_password_has_to_be_another(session: Session, rita: User) -> None:
    with pytest.raises(Invalid, match="has to be another"):
        accounts.change_password(session, rita.id, present=PASSWORD, new=PASSWORD)


@pytest.mark.parametrize("everywhere", [False, True])
def test_signing_out_everywhere_ends_all_sessions(session: Session, rita: User, everywhere: bool) -> None:
    epoch = rita.session_epoch

    accounts.sign_out(session, rita.id, everywhere=everywhere)

    assert (accounts.signed_in_user(session, rita.id, epoch) is None) is everywhere
