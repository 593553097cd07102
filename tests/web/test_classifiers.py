"""The versions of the classifier: who sees and does what, and what the gate wants."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from tests.web.conftest import PASSWORD, Visitor
from tests.web.versions import make_versions
from worklist import database
from worklist.classifiers import versions
from worklist.tables import AuditEvent, ClassifierState, User

ADDRESS = "/admin/classifiers"
REASON = "The old version misses implants."


@pytest.fixture
def lena(sign_in: Callable[[str], Visitor]) -> Visitor:
    """Lena, a lead, has signed in."""
    return sign_in("lena")


@pytest.fixture
def ids(site: object, sent_jobs: object) -> dict[str, int]:
    """Versions in every state."""
    return make_versions()


def states() -> dict[str, str]:
    with database.reading() as session:
        return {version.name: version.state.value for version in versions.versions(session)}


def sign(visitor: Visitor, version_id: int, **form: str) -> tuple[int, str]:
    """Sign what the page shows."""
    address = f"{ADDRESS}/{version_id}/gate"
    page = visitor.get(address).text
    seen = page.split('name="seen" value="', 1)[1].split('"', 1)[0]
    answer = visitor.submit(address, **{"seen": seen, "password": PASSWORD, "reason": REASON, **form})
    return answer.status_code, answer.text


@pytest.mark.parametrize(("who", "status"), [("rita", 403), ("aude", 403), ("lena", 200), ("adam", 200)])
def test_leads_and_administrators_see_them(
    ids: dict[str, int], sign_in: Callable[[str], Visitor], who: str, status: int
) -> None:
    visitor = sign_in(who)
    for address in (ADDRESS, f"{ADDRESS}/{ids['in-charge-1']}", f"{ADDRESS}/{ids['watching-1']}/gate"):
        assert visitor.get(address).status_code == status
    assert visitor.submit(f"{ADDRESS}/{ids['draft-1']}/retire").status_code == (303 if status == 200 else 403)


def test_a_lead_is_shown_the_way_and_nothing_of_the_other_pages(ids: dict[str, int], lena: Visitor) -> None:
    assert f'href="{ADDRESS}"' in lena.get("/").text
    page = lena.get(ADDRESS).text
    assert "/admin/sources" not in page
    assert "/admin/training" not in page


def test_the_list_tells_states_figures_and_troubles(ids: dict[str, int], lena: Visitor) -> None:
    page = lena.get(ADDRESS).text
    for words in ("In charge", "In shadow", "Draft", "Retired", "The weights cannot be read.", "not measured"):
        assert words in page
    assert "Roll back to former-1" in page


def test_an_empty_site_says_what_to_do(people: None, lena: Visitor) -> None:
    page = lena.get(ADDRESS).text
    assert "There is no classifier yet" in page
    assert "worklist classifier register CARD" in page


def test_the_card_has_figures_plots_and_history(ids: dict[str, int], lena: Visitor) -> None:
    lena.submit(f"{ADDRESS}/{ids['draft-1']}/retire")
    page = lena.get(f"{ADDRESS}/{ids['in-charge-1']}").text
    assert "ROC curve. AUC 0.9" in page
    assert "All body parts" in page
    assert page.count("<polyline") == 1
    assert "5" * 64 in page
    bare = lena.get(f"{ADDRESS}/{ids['draft-1']}").text
    assert "None were measured on this site" in bare
    assert "<b>Retired</b> by lena" in bare
    assert lena.get(f"{ADDRESS}/99").status_code == 404


def test_one_version_watches(ids: dict[str, int], lena: Visitor) -> None:
    assert lena.submit(f"{ADDRESS}/{ids['draft-1']}/shadow").status_code == 409
    lena.submit(f"{ADDRESS}/{ids['watching-1']}/retire")
    assert lena.submit(f"{ADDRESS}/{ids['draft-1']}/shadow").status_code == 303
    assert states()["draft-1"] == ClassifierState.SHADOW


def test_a_roll_back_has_a_reason(ids: dict[str, int], lena: Visitor) -> None:
    assert lena.submit(f"{ADDRESS}/roll-back", reason=" ").status_code == 422
    assert states()["former-1"] == ClassifierState.RETIRED
    assert lena.submit(f"{ADDRESS}/roll-back", reason="Too many false alarms.").status_code == 303
    assert (states()["former-1"], states()["in-charge-1"]) == ("champion", "retired")


def test_the_gate_shows_each_question_with_its_figure(ids: dict[str, int], lena: Visitor) -> None:
    page = lena.get(f"{ADDRESS}/{ids['watching-1']}/gate").text
    assert "Compared with in-charge-1; in charge is in-charge-1." in page
    assert "0 abnormal and 0 normal studies" in page
    assert "McNemar" in page
    assert page.count("Could not be told") >= 4
    assert lena.get(f"{ADDRESS}/{ids['in-charge-1']}/gate").status_code == 409


def test_who_signs_with_a_reason_puts_it_in_charge(ids: dict[str, int], lena: Visitor) -> None:
    assert sign(lena, ids["watching-1"])[0] == 303
    assert (states()["watching-1"], states()["in-charge-1"]) == ("champion", "retired")
    with database.reading() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "classifier.promoted")).one()
    assert (event.who, event.detail["reason"]) == ("lena", REASON)
    assert PASSWORD not in str(event.detail)
    assert REASON in lena.get(f"{ADDRESS}/{ids['watching-1']}").text


@pytest.mark.parametrize(
    ("form", "status", "told"),
    [
        ({"password": "four quite wrong words"}, 422, "The password is not right"),
        ({"reason": "short"}, 422, "give the reason why it is put in charge all the same"),
        ({"seen": "something else"}, 409, "have changed since this page was opened"),
    ],
)
def test_a_signature_that_does_not_hold_changes_nothing(
    ids: dict[str, int], lena: Visitor, form: dict[str, str], status: int, told: str
) -> None:
    found, page = sign(lena, ids["watching-1"], **form)
    assert found == status
    assert told in page
    assert states()["in-charge-1"] == "champion"


def test_wrong_passwords_of_a_signature_lock_the_account(ids: dict[str, int], lena: Visitor) -> None:
    for _ in range(5):
        sign(lena, ids["watching-1"], password="four quite wrong words")
    assert sign(lena, ids["watching-1"])[0] == 422
    assert states()["in-charge-1"] == "champion"
    with database.reading() as session:
        assert session.scalars(select(User).where(User.username == "lena")).one().locked_until is not None
