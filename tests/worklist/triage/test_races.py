"""Two processes at the same moment, on PostgreSQL, where they really run side by side."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from tests.factories import make_classifier, make_study
from worklist import database
from worklist.tables import Instance, Study
from worklist.triage import policy
from worklist.triage.analyses import claim_batch
from worklist.triage.leases import Claimant
from worklist.triage.prediction import Prediction
from worklist.triage.ranking import Policy, rank_key
from worklist.triage.record import Outcome, record_predictions

AN_HOUR = Policy(tau=timedelta(hours=1))


pytestmark = [pytest.mark.postgresql, pytest.mark.parametrize("site", ["postgresql"], indirect=True)]


@pytest.fixture
def studies(site):
    with database.transaction() as session:
        version = make_classifier(session).id
        ids = [make_study(session, images=2).id for _ in range(3)]
    return version, ids


def alongside(call):
    """Run a call in another thread, as another process would; return what it raised, when it is joined."""
    raised = []

    def run():
        try:
            call()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def join():
        thread.join()
        return raised

    return join


def blocked(count=1):
    """Wait until this many sessions wait for another."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    for _ in range(500):
        with database.reading() as session:
            if session.scalar(waiting) >= count:
                return
    pytest.fail("nobody waits for anybody")


def test_workers_that_name_each_others_images_do_not_block_each_other(studies):
    version, _ = studies
    with database.transaction() as session:
        images = session.scalars(select(Instance.id).order_by(Instance.id)).all()
        claim = claim_batch(session, images[-1], Claimant("one", version, 1))
        other_batch = []

        def other():
            with database.transaction() as rival:
                other_batch.extend(claim_batch(rival, images[0], Claimant("other", version, 1)))

        join = alongside(other)
        blocked()
    assert join() == []
    assert len(claim) == 6
    assert other_batch == []


def test_two_workers_that_finish_images_of_one_study_both_count(studies):
    version, ids = studies
    with database.transaction() as session:
        images = session.scalars(select(Instance.id).order_by(Instance.id)).all()
        batch = claim_batch(session, images[0], Claimant("one", version, 1))

    def record(session, item, logit):
        record_predictions(session, [Outcome(item.analysis_id, 1, Prediction(logit=logit))])

    def other():
        with database.transaction() as rival:
            record(rival, batch[1], -2.0)

    with database.transaction() as session:
        record(session, batch[0], 2.0)
        join = alongside(other)
        blocked()
    assert join() == []
    with database.reading() as session:
        study = session.get_one(Study, ids[0])
        assert study.study_probability == pytest.approx(0.5)
        assert study.result_version == 2


def test_a_study_scored_while_the_policy_changes_has_the_new_place(studies):
    version, ids = studies
    with database.transaction() as session:
        image = session.scalars(select(Instance.id).order_by(Instance.id)).first()
        item = claim_batch(session, image, Claimant("one", version, 1))[0]

    def change():
        with database.transaction() as session:
            policy.change_policy(session, AN_HOUR, "adam")

    with database.transaction() as session:
        record_predictions(session, [Outcome(item.analysis_id, 1, Prediction(logit=3.0))])
        join = alongside(change)
        blocked()
    assert join() == []
    with database.reading() as session:
        study = session.get_one(Study, ids[0])
        assert study.study_probability is not None
        expected = rank_key(study.received_at, study.study_probability, "ROUTINE", policy=AN_HOUR)
        assert study.rank_key == expected


def test_reception_and_a_worker_on_the_same_study_do_not_block_each_other(studies):
    version, ids = studies
    with database.transaction() as session:
        images = session.scalars(select(Instance).order_by(Instance.id)).all()
        item = claim_batch(session, images[0].id, Claimant("one", version, 1))[0]

    def score():
        with database.transaction() as session:
            record_predictions(session, [Outcome(item.analysis_id, 1, Prediction(logit=3.0))])

    with database.transaction() as session:
        # As reception does it: the study first, then a new image, then the one it replaces.
        study = session.scalars(select(Study).where(Study.id == ids[0]).with_for_update()).one()
        join = alongside(score)
        blocked()
        older = session.get_one(Instance, images[0].id)
        older.is_current = False
        session.flush()
        study.warning = "Sent again."
    assert join() == []
