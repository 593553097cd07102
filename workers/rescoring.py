"""Analyse images again, batch by batch: with a version in shadow, or with a new one in charge."""

from workers import analysis, champion, pipeline
from worklist import database, jobs, logs
from worklist.classifiers.versions import NoClassifier
from worklist.triage import record, rescoring
from worklist.triage.leases import MAXIMUM_ATTEMPTS, Claimant, Claimed
from worklist.triage.prediction import Prediction
from worklist.triage.record import Outcome

log = logs.logger(__name__)

GIVEN_UP = Prediction(
    reason=f"Cannot be analysed: the worker stopped {MAXIMUM_ATTEMPTS} times while it had this image."
)


def analyse_offered(version_id: int) -> int:
    """Analyse a batch of what was offered to a version, and ask for the next; return how many images.

    One batch is one job, so that new images, which wait in another queue, never wait for long.
    """
    try:
        network = champion.of_version(version_id)
    except NoClassifier as error:
        log.warning("nothing analysed again", version=version_id, reason=str(error))
        return 0
    claimant = Claimant(analysis.worker_name(), version_id, pipeline.PREPROCESSING_VERSION)
    with database.transaction() as session:
        claims = rescoring.claim(session, claimant)
    hopeless = rescoring.hopeless(claims)
    if hopeless:
        _give_up(hopeless)
    elif claims:
        analysis.finish(claims, network)
    with database.transaction() as session:
        if rescoring.refresh_stale(session) or claims:
            jobs.enqueue(session, jobs.ANALYSE_OFFERED, version_id)
    return len(claims)


def _give_up(claims: list[Claimed]) -> None:
    outcomes = [Outcome(claimed.analysis_id, claimed.attempt, GIVEN_UP) for claimed in claims]
    with database.transaction() as session:
        record.record_predictions(session, outcomes)
