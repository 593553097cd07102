"""The promotion gate: which questions it asks, of which studies, and who may pass it how."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.factories import make_analysis, make_classifier, make_study, make_user
from tests.worklist.classifiers.test_labels import say
from worklist import clock
from worklist.classifiers import promotion
from worklist.errors import Conflict, Invalid, NotFound
from worklist.evaluation.comparison import GateTest
from worklist.tables import AuditEvent, ClassifierState, Instance, Opinion, Series

ALL_WELL = GateTest("auc", "Is it as good?", "AUC 0.9 against 0.8", "Not worse.", True).as_json()
REASON = "The shoulder studies cannot wait."


def comparison(champion, *tests):
    return {
        "champion": champion.name if champion else "",
        "champion_sha256": champion.weights_sha256 if champion else "",
        "studies": 100,
        "snapshot_sha256": "0" * 64,
        "tests": list(tests or [ALL_WELL]),
    }


@pytest.fixture
def champion(session):
    return make_classifier(session, name="in-charge", weights_sha256="a" * 64)


@pytest.fixture
def candidate(session, champion):
    return make_classifier(
        session,
        name="next",
        state=ClassifierState.SHADOW,
        weights_sha256="b" * 64,
        shadow_since=clock.now() - timedelta(days=1),
        card={"comparison": comparison(champion)},
    )


@pytest.fixture
def reader(session):
    return make_user(session)


def read(session, reader, champion, candidate, *, is_abnormal, ours=0.9, theirs=0.9, **values):
    """Add a study that both versions judged and a reader read."""
    study = make_study(session, probability=theirs, **values)
    instance = session.scalars(select(Instance).join(Series).where(Series.study_id == study.id)).one()
    for version, probability in ((candidate, ours), (champion, theirs)):
        if probability is not None:
            make_analysis(session, instance, version, probability=probability)
    say(session, study, reader, Opinion.ABNORMAL if is_abnormal else Opinion.NORMAL)
    return study


def figure(gate, key, where="live"):
    return next(test for test in getattr(gate, where) if test.key == key)


def test_live_studies_that_both_judged_are_counted(session, reader, champion, candidate):
    for number in range(30):
        read(session, reader, champion, candidate, is_abnormal=True, ours=0.9, theirs=0.3 + number / 100)
        read(session, reader, champion, candidate, is_abnormal=False, ours=0.1, theirs=0.4)
    gate = promotion.gate(session, candidate.id)
    assert figure(gate, "enough_cases").figure == "30 abnormal and 30 normal studies"
    assert "AUC 1.000 against" in figure(gate, "auc").figure
    assert figure(gate, "sensitivity").figure == "30 of 30 flagged, 0 by the version in charge"
    assert gate.not_passed == []


@pytest.mark.parametrize(
    ("why", "values"),
    [
        ("it came before the shadow", {"waiting_minutes": 3 * 24 * 60}),
        ("the candidate has not judged it", {"ours": None}),
        ("the champion has not judged it", {"theirs": None}),
    ],
)
def test_a_study_that_cannot_be_compared_is_left_out(session, reader, champion, candidate, why, values):
    read(session, reader, champion, candidate, is_abnormal=True, **values)
    assert figure(promotion.gate(session, candidate.id), "enough_cases").figure.startswith("0 abnormal"), why


def test_a_patient_whom_the_candidate_may_have_learnt_from_is_left_out(session, reader, champion, candidate):
    make_study(session, patient_id="SYN-1", waiting_minutes=3 * 24 * 60)
    read(session, reader, champion, candidate, is_abnormal=True, patient_id="SYN-1")
    read(session, reader, champion, candidate, is_abnormal=True, patient_id="")
    assert figure(promotion.gate(session, candidate.id), "enough_cases").figure.startswith("1 abnormal")


def test_a_comparison_with_a_former_champion_does_not_pass(session, champion, candidate):
    other = make_classifier(session, name="older", state=ClassifierState.RETIRED, weights_sha256="c" * 64)
    candidate.card = {"comparison": comparison(other)}
    test = figure(promotion.gate(session, candidate.id), "same_champion", "held_out")
    assert (test.passed, test.figure) == (False, "Compared with older; in charge is in-charge.")


def test_a_version_that_never_watched_and_was_never_measured_says_so(session, champion):
    bare = make_classifier(session, name="bare", state=ClassifierState.DRAFT)
    gate = promotion.gate(session, bare.id)
    assert [(test.key, test.passed) for test in gate.not_passed] == [("compared", None), ("watched", None)]


def test_without_a_version_in_charge_there_is_nothing_to_watch_beside(session):
    first = make_classifier(
        session, name="first", state=ClassifierState.DRAFT, card={"comparison": comparison(None)}
    )
    gate = promotion.gate(session, first.id)
    assert (list(gate.live), gate.not_passed) == ([], [])
    assert promotion.promote(session, first.id, "lena").state is ClassifierState.CHAMPION


def test_what_is_not_answered_by_yes_needs_a_reason(session, champion, candidate):
    with pytest.raises(Invalid, match=r"questions are not answered by yes: give the reason.* 10 characters"):
        promotion.promote(session, candidate.id, "lena", reason="  because   ")
    assert candidate.state is ClassifierState.SHADOW
    promotion.promote(session, candidate.id, "lena", reason=REASON)
    assert (candidate.state, champion.state) == (ClassifierState.CHAMPION, ClassifierState.RETIRED)


def test_who_signed_what_is_kept(session, reader, champion, candidate):
    read(session, reader, champion, candidate, is_abnormal=True)
    promotion.promote(session, candidate.id, "lena", reason=REASON)
    event = session.scalars(select(AuditEvent).where(AuditEvent.action == "classifier.promoted")).one()
    assert event.who == "lena"
    assert event.detail["reason"] == REASON
    assert event.detail["champion"] == "in-charge"
    assert {"key": "auc", "passed": True, "figure": "AUC 0.9 against 0.8"} in event.detail["held_out"]
    assert {test["key"] for test in event.detail["live"]} >= {"enough_cases", "sensitivity", "body_parts"}


def test_figures_that_changed_since_they_were_seen_are_not_signed(session, reader, champion, candidate):
    seen = promotion.gate(session, candidate.id).version
    assert promotion.gate(session, candidate.id).version == seen
    read(session, reader, champion, candidate, is_abnormal=True)
    with pytest.raises(Conflict, match="have changed"):
        promotion.promote(session, candidate.id, "lena", reason=REASON, seen=seen)


def test_whoever_is_in_charge_needs_no_gate(session, champion):
    with pytest.raises(Conflict, match="in charge already"):
        promotion.gate(session, champion.id)
    with pytest.raises(NotFound, match="no such classifier"):
        promotion.gate(session, 99)
