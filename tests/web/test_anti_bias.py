"""Anti-bias mode on the pages: nothing of the classifier reaches the browser before the first opinion."""

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.factories import make_analysis, make_classifier, make_study
from tests.web.conftest import Visitor
from worklist import database, settings
from worklist.settings import Settings
from worklist.tables import Attention, Instance, Series, Study

SignIn = Callable[[str], Visitor]


@pytest.fixture(autouse=True)
def anti_bias(monkeypatch: pytest.MonkeyPatch, site: Settings) -> None:
    monkeypatch.setenv("WORKLIST_ANTI_BIAS", "true")
    settings.current.cache_clear()


def instance_of(session: Session, study: Study) -> Instance:
    return session.scalars(select(Instance).join(Series).where(Series.study_id == study.id)).one()


@pytest.fixture
def study(people: None) -> Study:
    with database.transaction() as session:
        made = make_study(session, probability=0.87, attention=Attention.FLAGGED, waiting_minutes=10)
        make_analysis(session, instance_of(session, made), make_classifier(session), probability=0.87)
        return made


@pytest.fixture
def heat_map(study: Study) -> str:
    with database.reading() as session:
        return f"/instances/{instance_of(session, study).id}/heat-map.json"


def test_a_first_opinion_shows_the_result(rita: Visitor, study: Study, heat_map: str) -> None:
    page = rita.get(f"/studies/{study.id}").text
    assert "Hidden until your first opinion" in page
    assert 'data-heat-map="locked"' in page
    for told in ("87", "Flagged", "What the classifier says</h2>", 'name="finding"', "0.87"):
        assert told not in page
    answer = rita.get(heat_map)
    assert answer.status_code == 403
    assert "hidden until your first opinion" in answer.text
    answer = rita.submit(f"/studies/{study.id}/first-opinion", opinion="normal")
    assert answer.location == f"/studies/{study.id}"
    page = rita.get(f"/studies/{study.id}").text
    assert "87<small>%" in page
    assert "Your first opinion: normal." in page
    assert 'data-heat-map="off"' in page
    assert rita.get(heat_map).status_code == 200


def test_whoever_only_looks_on_sees_nothing_either(sign_in: SignIn, study: Study, heat_map: str) -> None:
    rita, lena = sign_in("rita"), sign_in("lena")
    rita.get(f"/studies/{study.id}")
    rita.submit(f"/studies/{study.id}/first-opinion", opinion="normal")
    page = lena.get(f"/studies/{study.id}").text
    assert "Hidden until your first opinion" in page
    assert "87" not in page
    assert lena.get(heat_map).status_code == 403


def test_the_list_has_the_order_and_nothing_else(sign_in: SignIn, study: Study) -> None:
    for address in ("/", "/rows", "/?attention=none"):
        page = sign_in("rita").get(address).text
        assert "Hidden until your first opinion" in page
        assert "In rank order" in page
        for told in ("87%", "look_closer", 'data-filter="flagged"', 'name="attention"', "can pass"):
            assert told not in page, address
    assert "87%" in sign_in("adam").get("/").text


def test_an_administrator_sees_the_result(sign_in: SignIn, study: Study, heat_map: str) -> None:
    adam = sign_in("adam")
    assert "87<small>%" in adam.get(f"/studies/{study.id}").text
    assert adam.get(heat_map).status_code == 200
