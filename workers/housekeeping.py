"""Periodic work: find lost work, complete quiet studies, end forgotten claims; and display copies."""

from worklist import database, jobs, logs, settings
from worklist.classifiers import versions
from worklist.classifiers.versions import NoClassifier
from worklist.intake import assembly
from worklist.reading import claims
from worklist.triage import analyses, record

log = logs.logger(__name__)


def sweep() -> None:
    """Do everything that must happen even when no job says so."""
    with database.transaction() as session:
        assembly.complete_quiet_studies(session)
        claims.expire(session)
        try:
            versions.champion(session, allow_demo=settings.current().demo)
        except NoClassifier as error:
            record.mark_without_classifier(session, str(error))
            return
        record.mark_waiting_again(session)
        lost = analyses.lost_instances(session)
        for instance_id in lost:
            jobs.enqueue(session, jobs.ANALYSE_INSTANCE, instance_id)
    if lost:
        log.info("lost images offered again", images=len(lost))


def write_display_copy(instance_id: int) -> None:
    """Make the viewer's copy of one image, unless it is there."""
