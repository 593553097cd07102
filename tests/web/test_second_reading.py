"""Second reading and control arm on the pages."""

from collections.abc import Callable

import pytest

from tests.factories import make_study
from tests.web.conftest import PASSWORD, Visitor
from tests.web.test_worklist_page import rows_of, text_of
from worklist import accounts, database, settings
from worklist.settings import Settings
from worklist.tables import Attention, Role, Study
from worklist.triage import policy
from worklist.triage.ranking import Policy

SignIn = Callable[[str], Visitor]


@pytest.fixture
def study(people: None) -> Study:
    with database.transaction() as session:
        return make_study(session, probability=0.87, attention=Attention.FLAGGED, waiting_minutes=10)


@pytest.fixture
def otto(people: None) -> None:
    with database.transaction() as session:
        accounts.create_user(
            session,
            username="otto",
            display_name="Otto Other",
            password=PASSWORD,
            role=Role.READER,
            must_change_password=False,
        )


@pytest.fixture
def twice(monkeypatch: pytest.MonkeyPatch, site: Settings) -> None:
    monkeypatch.setenv("WORKLIST_SECOND_READING_SHARE", "1")
    settings.current.cache_clear()


def judge(person: Visitor, study: Study, opinion: str, note: str = "") -> None:
    page = person.get(f"/studies/{study.id}").text
    assert 'name="content_version"' in page
    values = {"content_version": study.content_version, "result_version": study.result_version}
    answer = person.submit(f"/studies/{study.id}/verdict", opinion=opinion, note=note, **values)
    assert answer.status_code == 303, text_of(answer.text)


def test_second_reader_sees_nothing_of_the_first_and_a_lead_both(
    sign_in: SignIn, study: Study, otto: None, twice: None
) -> None:
    rita, otto, lena = sign_in("rita"), sign_in("otto"), sign_in("lena")
    judge(rita, study, "abnormal", "A fine line.")

    assert "second reading" in rows_of(otto.get("/").text)[0]
    seen = otto.get(f"/studies/{study.id}").text
    for told in ("A fine line.", "Rita Reader", "Verdicts so far", "You have read it"):
        assert told not in seen
    assert "You have read it: abnormal" in text_of(rita.get(f"/studies/{study.id}").text)
    assert "it waits for a second one." in text_of(rita.get(f"/studies/{study.id}").text)

    judge(otto, study, "normal")

    assert "1 for arbitration" in text_of(lena.get("/").text)
    page = text_of(lena.get(f"/studies/{study.id}").text)
    assert "A fine line." in page
    assert "Otto Other (second reading): normal" in page
    judge(lena, study, "abnormal")
    page = text_of(rita.get(f"/studies/{study.id}").text)
    assert "Read: abnormal" in page
    assert "By Lena Lead" in page
    assert "(arbitration)" in page
    assert "Yours: abnormal" in page


def test_nobody_learns_the_arm_before_a_study_is_read(sign_in: SignIn, study: Study) -> None:
    with database.transaction() as session:
        policy.change_policy(session, Policy(control_rule="study", control_share=0.5), "adam")
        session.get_one(Study, study.id).is_control = True
    rita = sign_in("rita")

    listed = rita.get("/").text
    assert "Hidden until it is read" in listed
    for told in ("87%", "Flagged", "First in, first out", "worth"):
        assert told not in text_of(rows_of(listed)[0])
    page = text_of(rita.get(f"/studies/{study.id}").text)
    for told in ("First in, first out", "by arrival", "control arm"):
        assert told not in page

    judge(rita, study, "normal")

    assert "Stood by arrival (control arm)." in text_of(rita.get(f"/studies/{study.id}").text)
    # Whoever does not read sees the list as it is.
    with database.transaction() as session:
        make_study(session, probability=0.5)
    assert "50%" in text_of(sign_in("adam").get("/").text)
