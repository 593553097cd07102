"""What a study is, by what its readers say today."""

import pytest

from tests.factories import make_study, make_user
from worklist import clock
from worklist.classifiers import new_verdicts
from worklist.classifiers.labels import study_labels
from worklist.tables import Attention, BodyPart, Opinion, TrainingRun, TrainingState, Verdict

NORMAL, ABNORMAL, UNSURE = Opinion.NORMAL, Opinion.ABNORMAL, Opinion.UNSURE


@pytest.fixture
def readers(session):
    return [make_user(session, name) for name in ("rita", "omar", "lena")]


def say(session, study, user, opinion, **values):
    verdict = Verdict(
        study_id=study.id,
        user_id=user.id,
        opinion=opinion,
        result_version=1,
        visible={},
        given_at=clock.now(),
        **values,
    )
    session.add(verdict)
    session.flush()
    return verdict


@pytest.mark.parametrize(
    ("opinions", "label"),
    [
        ((ABNORMAL,), True),
        ((NORMAL,), False),
        ((UNSURE,), None),
        ((ABNORMAL, NORMAL), None),
        ((ABNORMAL, NORMAL, ABNORMAL), True),
        ((NORMAL, UNSURE), False),
    ],
)
def test_most_readers_decide_and_unsure_counts_for_nobody(session, readers, opinions, label):
    study = make_study(session)
    for reader, opinion in zip(readers, opinions, strict=False):
        say(session, study, reader, opinion)
    (found,) = study_labels(session)
    assert found.is_abnormal is label


def test_a_correction_and_a_retraction_count(session, readers):
    corrected, retracted = make_study(session), make_study(session)
    first = say(session, corrected, readers[0], NORMAL)
    say(session, corrected, readers[0], ABNORMAL, replaces_id=first.id)
    say(session, retracted, readers[0], NORMAL, retracted_at=clock.now())
    assert [(one.study_id, one.is_abnormal) for one in study_labels(session)] == [(corrected.id, True)]


def test_studies_of_one_patient_share_a_digest_that_is_no_patient_id(session, readers):
    for _ in range(2):
        say(session, make_study(session, patient_id="SYN-7"), readers[0], NORMAL)
    one, other = study_labels(session)
    assert one.patient == other.patient
    assert "SYN-7" not in one.patient
    assert one.study != other.study


def test_without_a_patient_id_each_study_is_a_patient_of_its_own(session, readers):
    for _ in range(2):
        say(session, make_study(session, patient_id=""), readers[0], NORMAL)
    one, other = study_labels(session)
    assert one.patient != other.patient


def test_a_study_of_no_body_part_of_the_classifier_is_no_label(session, readers):
    say(session, make_study(session, body_part=None), readers[0], NORMAL)
    assert list(study_labels(session)) == []


def test_new_verdicts_are_counted_by_part_and_agreement(session, readers):
    flagged = {"probability": 0.9, "attention": Attention.FLAGGED, "body_part": BodyPart.HAND}
    say(session, make_study(session, **flagged), readers[0], ABNORMAL)
    say(session, make_study(session, **flagged), readers[0], NORMAL)
    say(session, make_study(session, body_part=BodyPart.HAND), readers[0], NORMAL)
    say(session, make_study(session, body_part=BodyPart.HAND), readers[0], UNSURE)
    hand = next(row for row in new_verdicts.count(session) if row.body_part is BodyPart.HAND)
    assert (hand.agreed, hand.contradicted, hand.undecided) == (1, 1, 1)
    assert (hand.new, hand.new_normal, hand.new_abnormal, hand.labelled) == (3, 2, 1, 3)


def test_verdicts_of_before_the_last_training_are_not_new(session, readers, frozen):
    say(session, make_study(session), readers[0], ABNORMAL)
    frozen.advance(minutes=1)
    session.add(
        TrainingRun(
            name="r",
            state=TrainingState.DONE,
            start="scratch",
            recipe={},
            data={"verdicts": True},
            requested_at=frozen.time,
            requested_by="adam",
            started_at=frozen.time,
        )
    )
    frozen.advance(minutes=1)
    say(session, make_study(session), readers[0], NORMAL)
    session.flush()
    wrist = next(row for row in new_verdicts.count(session) if row.body_part is BodyPart.WRIST)
    assert (wrist.new, wrist.labelled) == (1, 2)
