"""Rules that the database keeps, so that no fault in code can break them."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.factories import make_analysis, make_classifier, make_instance, make_study, make_user
from worklist import clock
from worklist.tables import (
    Calibration,
    Claim,
    ClassifierState,
    OperatingPoint,
    RankingPolicy,
    ReadingState,
    Source,
    Study,
    Verdict,
)


def refuses(name):
    """Expect that what follows breaks the constraint with this name, or on SQLite with this column."""
    return pytest.raises(IntegrityError, match=name)


def policy(**values):
    return RankingPolicy(
        **{"tau_seconds": 1, "stat_bonus_seconds": 2, "high_bonus_seconds": 1, **values},
        set_at=clock.now(),
        set_by="adam",
    )


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_a_probability_is_between_zero_and_one(session, value):
    with refuses("probability_range"):
        make_study(session, study_probability=value)


@pytest.mark.parametrize(
    ("state", "is_open"),
    [(ReadingState.READ, True), (ReadingState.UNREAD, False), (ReadingState.DEFERRED, False)],
)
def test_a_study_is_open_exactly_until_it_is_read(session, state, is_open):
    with refuses("open_unless_read"):
        make_study(session, reading_state=state, is_open=is_open)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("body_part", "KNEE"),
        ("result", "lost"),
        ("attention", "high"),
        ("reading_state", "open"),
        ("scope", ""),
    ],
)
def test_a_word_that_is_not_in_the_vocabulary_is_refused(session, column, value):
    study = make_study(session)
    change = text(f"UPDATE study SET {column} = :value WHERE id = :id")
    with refuses("constraint"):
        session.execute(change, {"value": value, "id": study.id})


def test_a_study_instance_uid_stands_once(session):
    make_study(session, study_instance_uid="1.2.3")
    with refuses("study_instance_uid"):
        make_study(session, study_instance_uid="1.2.3")


def test_an_instance_stands_once_in_each_version(session):
    series = make_study(session, images=0).series[0]
    make_instance(session, series, sop_instance_uid="1.2.3", version=1)
    make_instance(session, series, sop_instance_uid="1.2.3", version=2)
    with refuses("sop_instance_uid"):
        make_instance(session, series, sop_instance_uid="1.2.3", version=2)


def test_an_image_has_one_analysis_by_each_classifier_and_preprocessing(session):
    image = make_instance(session, make_study(session, images=0).series[0])
    version = make_classifier(session)
    make_analysis(session, image, version)
    make_analysis(session, image, version, preprocessing_version=2)
    with refuses("analysis"):
        make_analysis(session, image, version)


def test_one_classifier_is_in_charge(session):
    make_classifier(session)
    make_classifier(session, state=ClassifierState.RETIRED)
    with refuses("classifier_version"):
        make_classifier(session)


def test_a_study_is_open_with_one_reader(session):
    study, rita, lena = make_study(session), make_user(session, "rita"), make_user(session, "lena")
    times = {"claimed_at": clock.now(), "expires_at": clock.now()}
    session.add(Claim(study_id=study.id, user_id=rita.id, released_at=clock.now(), **times))
    session.add(Claim(study_id=study.id, user_id=rita.id, **times))
    session.flush()
    session.add(Claim(study_id=study.id, user_id=lena.id, **times))
    with refuses("claim"):
        session.flush()


def test_a_verdict_is_replaced_once(session):
    study, rita = make_study(session), make_user(session)

    def verdict(replaces_id):
        given = Verdict(
            study_id=study.id,
            user_id=rita.id,
            opinion="normal",
            result_version=1,
            visible={},
            given_at=clock.now(),
            replaces_id=replaces_id,
        )
        session.add(given)
        session.flush()
        return given.id

    first = verdict(None)
    verdict(first)
    with refuses("verdict"):
        verdict(first)


def test_a_user_name_is_in_small_letters_and_stands_once(session):
    make_user(session, "rita")
    with refuses("uq_user_username|user.username"), session.begin_nested():
        make_user(session, "rita")
    with refuses("username_lower_case"), session.begin_nested():
        make_user(session, "Lena")


def test_a_source_is_one_title_at_one_address(session):
    def source():
        session.add(
            Source(
                ae_title="CR1",
                address="127.0.0.1",
                is_enabled=True,
                first_seen_at=clock.now(),
                last_seen_at=clock.now(),
            )
        )
        session.flush()

    source()
    with refuses("source"):
        source()


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"tau_seconds": -1}, "tau_not_negative"),
        ({"high_bonus_seconds": 3}, "stat_at_least_high"),
        ({"high_bonus_seconds": -1}, "high_not_negative"),
    ],
)
def test_a_ranking_policy_keeps_its_rules(session, values, name):
    session.add(policy(**values))
    with refuses(name):
        session.flush()


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (lambda: Calibration(body_part="HAND", slope=0, intercept=0), "slope_positive"),
        (lambda: OperatingPoint(body_part="HAND", attention="flagged", threshold=1.1), "threshold_range"),
        (lambda: OperatingPoint(body_part="HAND", attention="none", threshold=0.1), "attention_named"),
    ],
)
def test_what_a_card_says_keeps_its_rules(session, row, name):
    version = make_classifier(session, calibrations=[], operating_points=[])
    made = row()
    made.classifier_version_id = version.id
    session.add(made)
    with refuses(name):
        session.flush()


def test_with_a_study_everything_that_belongs_to_it_goes(session):
    study = make_study(session, images=0)
    make_analysis(session, make_instance(session, study.series[0]), make_classifier(session))
    session.execute(text("DELETE FROM study WHERE id = :id"), {"id": study.id})
    for table in ("series", "instance", "analysis"):
        assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
    session.expunge_all()
    assert session.get(Study, study.id) is None
