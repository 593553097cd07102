"""What each job does: load, one call, store. Jobs carry one id, may run twice, and are found by the sweep."""

from workers import analysis, commitment, housekeeping, rescoring
from workers.app import app
from worklist import jobs

MONTH = 30 * 24 * 3600


@app.task(name=jobs.ANALYSE_INSTANCE.name)
def analyse_instance(instance_id: int) -> None:
    """Analyse an image that has arrived, with others that wait; found again by the sweep if it is lost."""
    analysis.analyse(instance_id)


@app.task(name=jobs.ANALYSE_OFFERED.name)
def analyse_offered(version_id: int) -> None:
    """Analyse images with a version in shadow or new in charge; found again by the sweep if it is lost."""
    rescoring.analyse_offered(version_id)


@app.task(name=jobs.WRITE_DISPLAY_COPY.name)
def write_display_copy(instance_id: int) -> None:
    """Prepare the viewer's copy of an image; if the job is lost, the viewer's first request prepares it."""
    housekeeping.write_display_copy(instance_id)


@app.task(name=jobs.REPORT_COMMITMENT.name)
def report_commitment(commitment_id: int) -> None:
    """Tell a source which images are committed; found again by the sweep if it is lost or fails."""
    commitment.report_commitment(commitment_id)


# A training takes hours: its message is acknowledged at the start, and the row keeps it from being forgotten.
@app.task(name=jobs.TRAIN.name, acks_late=False, soft_time_limit=MONTH, time_limit=MONTH + 60)
def train(run_id: int) -> None:
    """Train a classifier; found again by the sweep, and gone on with, if it is lost or its worker dies."""
    # Only here: what measures a classifier takes a second and 100 MB, which no other worker needs.
    from workers.training import job

    job.train(run_id)


@app.task(name=jobs.SWEEP.name)
def sweep() -> None:
    """Find what was lost or forgotten; sent by the scheduler every few seconds."""
    housekeeping.sweep()
