"""The study page without a browser: who may do what, and what the forms do."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.factories import make_analysis, make_classifier, make_instance, make_study
from tests.web.conftest import Visitor
from worklist import database
from worklist.reading import claims
from worklist.tables import AuditEvent, ReadingState, Series, Study, Verdict

SignIn = Callable[[str], Visitor]
JSON = {"Accept": "application/json"}


@pytest.fixture
def study(people: None) -> Study:
    with database.transaction() as session:
        return make_study(session, probability=0.9, waiting_minutes=10)


def form(visitor: Visitor, study: Study, **values: object) -> dict[str, object]:
    return {
        "csrf_token": visitor.token(f"/studies/{study.id}"),
        "opinion": "abnormal",
        "content_version": study.content_version,
        "result_version": study.result_version,
        "probability": study.study_probability,
        **values,
    }


def fresh(study: Study) -> tuple[ReadingState, bool]:
    with database.reading() as session:
        row = session.get_one(Study, study.id)
        return row.reading_state, row.is_open


def claimed_until(study: Study) -> str:
    with database.reading() as session:
        claim = claims.holder(session, study.id)
        assert claim is not None
        return claim.expires_at.isoformat()


def verdicts() -> list[str]:
    with database.reading() as session:
        return [row.opinion.value for row in session.scalars(select(Verdict).order_by(Verdict.id))]


def test_the_page_names_the_patient_and_the_probability(rita: Visitor, study: Study) -> None:
    page = rita.get(f"/studies/{study.id}").text
    assert "SYNTHETIC, Rita" in page
    assert "90<small>%" in page
    assert "ACC" in page


def test_opening_claims_for_a_reader_and_is_recorded(rita: Visitor, study: Study) -> None:
    rita.get(f"/studies/{study.id}")
    assert fresh(study) == (ReadingState.READING, True)
    with database.reading() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.about_type == "study"))
        assert [(event.action, event.who, event.detail) for event in events] == [
            ("study.claimed", "rita", {}),
            ("study.opened", "rita", {}),
        ]


def test_an_administrator_looks_without_claiming(sign_in: SignIn, study: Study) -> None:
    page = sign_in("adam").get(f"/studies/{study.id}").text
    assert "readers judge it" in page
    assert 'name="opinion"' not in page
    assert fresh(study) == (ReadingState.UNREAD, True)


@pytest.mark.parametrize("action", ["verdict", "defer", "take-over", "renew"])
def test_an_administrator_cannot_act_as_a_reader(sign_in: SignIn, study: Study, action: str) -> None:
    adam = sign_in("adam")
    token = adam.token("/password")
    answer = adam.post(f"/studies/{study.id}/{action}", data={"csrf_token": token, "opinion": "normal"})
    assert answer.status_code == 403
    assert verdicts() == []


def test_an_auditor_sees_no_patient(sign_in: SignIn, study: Study) -> None:
    assert sign_in("aude").get(f"/studies/{study.id}").status_code == 403


def test_whoever_is_not_signed_in_is_asked_to(client: FlaskClient, study: Study) -> None:
    answer = client.get(f"/studies/{study.id}")
    assert answer.status_code == 302
    assert "/sign-in" in answer.location
    assert fresh(study) == (ReadingState.UNREAD, True)


def test_a_verdict_by_a_plain_form_goes_on_to_the_next_study(rita: Visitor, study: Study) -> None:
    with database.transaction() as session:
        other = make_study(session, probability=0.2)
    answer = rita.post(f"/studies/{study.id}/verdict", data=form(rita, study), follow_redirects=True)
    assert answer.request.path == f"/studies/{other.id}"
    assert verdicts() == ["abnormal"]
    assert fresh(study) == (ReadingState.READ, False)


def test_a_verdict_by_a_script_is_told_where_to_go(rita: Visitor, study: Study) -> None:
    answer = rita.post(f"/studies/{study.id}/verdict?part=WRIST", data=form(rita, study), headers=JSON)
    assert answer.json == {"next": f"/studies/next?left={study.id}&part=WRIST"}


def test_after_the_last_study_nothing_is_left(rita: Visitor, study: Study) -> None:
    page = rita.post(f"/studies/{study.id}/verdict", data=form(rita, study), follow_redirects=True).text
    assert "Nothing left to read" in page
    assert "Undo your last verdict (abnormal)" in page


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"opinion": ""}, "Choose normal, abnormal or unsure first."),
        ({"opinion": "perhaps"}, "Choose normal, abnormal or unsure first."),
        ({"opinion": "normal", "finding": "fracture"}, "A normal study has no finding"),
        ({"finding": "foreign_body"}, "is no finding of wrist"),
        ({"finding": "soup"}, "This page is damaged"),
        ({"heat_map": "upside down"}, "This page is damaged"),
        ({"content_version": "x"}, "This page is damaged"),
        ({"probability": "high"}, "This page is damaged"),
        ({"visible": "{"}, "This page is damaged"),
        ({"note": "x" * 4001}, "4000 is the most"),
    ],
)
def test_a_form_that_breaks_a_rule_is_answered_in_words(
    rita: Visitor, study: Study, wrong: dict[str, str], sentence: str
) -> None:
    answer = rita.post(f"/studies/{study.id}/verdict", data=form(rita, study, **wrong), headers=JSON)
    assert answer.status_code == 422
    assert sentence in answer.get_json()["error"]
    assert verdicts() == []


def test_a_verdict_on_an_outdated_page_is_refused(rita: Visitor, study: Study) -> None:
    answer = rita.post(f"/studies/{study.id}/verdict", data=form(rita, study, content_version=0), headers=JSON)
    assert answer.status_code == 409
    assert "A new image came at" in answer.get_json()["error"]


def test_a_form_without_its_token_does_nothing(rita: Visitor, study: Study) -> None:
    values = {**form(rita, study), "csrf_token": "guessed"}
    assert rita.post(f"/studies/{study.id}/verdict", data=values).status_code == 400
    assert verdicts() == []


def test_a_study_that_somebody_has_open_says_who(sign_in: SignIn, study: Study) -> None:
    sign_in("lena").get(f"/studies/{study.id}")
    page = sign_in("rita").get(f"/studies/{study.id}").text
    assert "by Lena Lead." in page
    assert "Take over" in page
    assert 'name="opinion"' not in page


def test_taking_over_by_a_plain_form_opens_the_study(sign_in: SignIn, study: Study) -> None:
    lena, rita = sign_in("lena"), sign_in("rita")
    lena.get(f"/studies/{study.id}")
    token = rita.token(f"/studies/{study.id}")
    page = rita.post(f"/studies/{study.id}/take-over", data={"csrf_token": token}, follow_redirects=True).text
    assert 'name="opinion"' in page
    answer = lena.post(f"/studies/{study.id}/renew", data={"csrf_token": lena.token("/password")}, headers=JSON)
    assert answer.status_code == 409
    assert "Rita Reader took this study over at" in answer.get_json()["error"]


def test_renewing_tells_what_has_changed(rita: Visitor, study: Study) -> None:
    token = rita.token(f"/studies/{study.id}")
    answer = rita.post(f"/studies/{study.id}/renew", data={"csrf_token": token}, headers=JSON)
    assert answer.json == {"until": claimed_until(study), "content_version": 1, "result_version": 1}


def test_the_goodbye_of_a_page_that_was_reloaded_gives_nothing_back(rita: Visitor, study: Study) -> None:
    token = rita.token(f"/studies/{study.id}")
    goodbye = {"csrf_token": token, "until": claimed_until(study)}
    rita.get(f"/studies/{study.id}")
    rita.post(f"/studies/{study.id}/release", data=goodbye)
    assert fresh(study) == (ReadingState.READING, True)


def test_the_goodbye_of_a_page_that_was_closed_gives_the_study_back(rita: Visitor, study: Study) -> None:
    token = rita.token(f"/studies/{study.id}")
    rita.post(f"/studies/{study.id}/release", data={"csrf_token": token, "until": claimed_until(study)})
    assert fresh(study) == (ReadingState.UNREAD, True)


def test_a_goodbye_at_no_time_is_refused_in_words(rita: Visitor, study: Study) -> None:
    token = rita.token(f"/studies/{study.id}")
    answer = rita.post(f"/studies/{study.id}/release", data={"csrf_token": token, "until": "soon"})
    assert answer.status_code == 422


def test_releasing_leads_to_the_list_or_to_the_next_study(rita: Visitor, study: Study) -> None:
    token = rita.token(f"/studies/{study.id}")
    address = f"/studies/{study.id}/release?state=unread"
    assert rita.post(address, data={"csrf_token": token}).location == "/?state=unread"
    assert fresh(study) == (ReadingState.UNREAD, True)
    onward = rita.post(address, data={"csrf_token": token, "then": "next"}).location
    assert onward == f"/studies/next?left={study.id}&state=unread"


def test_taking_a_verdict_back_opens_its_study_and_closes_the_one_in_between(
    rita: Visitor, study: Study
) -> None:
    with database.transaction() as session:
        other = make_study(session, probability=0.2)
    rita.post(f"/studies/{study.id}/verdict", data=form(rita, study), follow_redirects=True)
    token = rita.token(f"/studies/{other.id}")
    with database.reading() as session:
        verdict_id = session.scalars(select(Verdict.id)).one()
    answer = rita.post(f"/verdicts/{verdict_id}/retract", data={"csrf_token": token, "leaving": other.id})
    assert answer.location == f"/studies/{study.id}"
    assert fresh(study) == (ReadingState.UNREAD, True)
    assert fresh(other) == (ReadingState.UNREAD, True)


def test_next_skips_what_somebody_else_has_open(sign_in: SignIn, study: Study) -> None:
    with database.transaction() as session:
        other = make_study(session, probability=0.2)
    sign_in("lena").get("/studies/next")
    assert sign_in("rita").get("/studies/next").location == f"/studies/{other.id}"


def test_a_read_study_shows_its_history_to_everybody(sign_in: SignIn, study: Study) -> None:
    rita = sign_in("rita")
    rita.post(f"/studies/{study.id}/verdict", data=form(rita, study, note="Scaphoid."))
    page = sign_in("adam").get(f"/studies/{study.id}").text
    assert "Read: abnormal" in page
    assert "Scaphoid." in page
    assert "Take the verdict back" not in page


def test_a_lead_may_take_back_a_reader_s_verdict(sign_in: SignIn, study: Study) -> None:
    rita = sign_in("rita")
    rita.post(f"/studies/{study.id}/verdict", data=form(rita, study))
    assert "Take the verdict back" in sign_in("lena").get(f"/studies/{study.id}").text


def test_every_image_has_its_result_or_the_reason_for_none(rita: Visitor, people: None) -> None:
    with database.transaction() as session:
        version = make_classifier(session)
        study = make_study(session, images=0, probability=0.8, content_version=2)
        series = session.scalars(select(Series).where(Series.study_id == study.id)).one()
        make_analysis(session, make_instance(session, series), version, crop_reason="no edges of anatomy found")
        make_instance(session, series, needs_analysis=False, no_analysis_reason="It is a scout view.")
        make_instance(
            session,
            series,
            rows=None,
            no_analysis_reason="It is a report.",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.88.33",
        )
    page = rita.get(f"/studies/{study.id}").text
    assert "82 %" in page
    assert "Crop: no edges of anatomy found." in page
    assert "It is a scout view." in page
    assert "Comprehensive SR Storage: It is a report." in page


def test_a_study_that_does_not_exist_is_not_found(rita: Visitor) -> None:
    assert rita.get("/studies/4711").status_code == 404


def test_no_address_carries_the_patient(rita: Visitor, study: Study) -> None:
    page = rita.get(f"/studies/{study.id}").text
    addresses = [part.split('"')[0] for part in page.split('href="')[1:] + page.split('url="')[1:]]
    assert not any("SYN" in address or "ACC" in address for address in addresses)


def test_a_page_takes_few_statements_however_many_images_it_has(
    rita: Visitor, people: None, statements: list[str]
) -> None:
    with database.transaction() as session:
        version = make_classifier(session)
        study = make_study(session, images=0, probability=0.8)
        series = session.scalars(select(Series).where(Series.study_id == study.id)).one()
        for _ in range(6):
            make_analysis(session, make_instance(session, series), version)
    statements.clear()
    rita.get(f"/studies/{study.id}")
    reads = [statement for statement in statements if statement.startswith("SELECT")]
    assert len(reads) < 20
    assert not any("analysis.heat_map," in statement for statement in reads)


def test_an_open_claim_ends_with_the_verdict(rita: Visitor, study: Study) -> None:
    rita.post(f"/studies/{study.id}/verdict", data=form(rita, study))
    with database.reading() as session:
        assert claims.holder(session, study.id) is None
