"""Periodic work: find lost work, complete quiet studies, end forgotten claims; and display copies."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from worklist import database, jobs, logs, settings
from worklist.classifiers import runs, versions
from worklist.classifiers.versions import NO_CHAMPION, ONLY_DEMO, NoClassifier
from worklist.errors import Invalid, NotFound, Unavailable
from worklist.intake import assembly, commitments
from worklist.reading import claims
from worklist.triage import analyses, image_detail, record, rescoring
from worklist.triage.display import ensure_display_copy

log = logs.logger(__name__)


def sweep() -> None:
    """Do everything that must happen even when no job says so.

    Notes
    -----
    Each duty has a transaction of its own and a fault in one does not keep the others from being done: a study
    that breaks the assembly must not stop lost images from being found. The first fault is raised at the end.
    """
    faults = [
        fault
        for duty in (
            _complete_quiet_studies,
            _end_claims,
            _offer_lost_images,
            _offer_rescoring,
            _offer_commitments,
            _offer_training,
        )
        if (fault := _do(duty))
    ]
    if faults:
        raise faults[0]


def write_display_copy(instance_id: int) -> None:
    """Make the viewer's copy of one image, unless it is there or there is nothing to show."""
    try:
        with database.reading() as session:
            file_path = image_detail.image_file(session, instance_id)
        ensure_display_copy(instance_id, file_path)
    except (Invalid, NotFound) as error:
        # The viewer says the same sentence to whoever opens the image.
        log.info("no display copy", reason=str(error))


def _do(duty: Callable[[Session], None]) -> Exception | None:
    try:
        with database.transaction() as session:
            duty(session)
    except Unavailable:
        raise  # then the others would only wait for the same database
    except Exception as error:
        log.exception("sweep incomplete", duty=duty.__name__)
        return error
    return None


def _complete_quiet_studies(session: Session) -> None:
    assembly.complete_quiet_studies(session)


def _end_claims(session: Session) -> None:
    claims.expire(session)


def _offer_lost_images(session: Session) -> None:
    try:
        versions.champion(session, allow_demo=settings.current().demo)
    except NoClassifier as error:
        record.mark_without_classifier(session, str(error))
        return
    # Those that were told of weights that cannot be loaded go on saying so until a worker has loaded them.
    record.mark_waiting_again(session, told=(NO_CHAMPION, ONLY_DEMO))
    lost = analyses.lost_instances(session)
    for instance_id in lost:
        jobs.enqueue(session, jobs.ANALYSE_INSTANCE, instance_id)
    if lost:
        log.info("lost images offered again", images=len(lost))


def _offer_rescoring(session: Session) -> None:
    for version_id in rescoring.idle_versions(session):
        jobs.enqueue(session, jobs.ANALYSE_OFFERED, version_id)


def _offer_commitments(session: Session) -> None:
    commitments.give_up_old(session)
    for commitment_id in commitments.due(session):
        jobs.enqueue(session, jobs.REPORT_COMMITMENT, commitment_id)


def _offer_training(session: Session) -> None:
    for run_id in runs.due(session):
        jobs.enqueue(session, jobs.TRAIN, run_id)
