"""Analyse waiting images: claim, read, predict, record; nothing is open in the database while it computes."""

import os
import socket
import threading
from collections.abc import Sequence
from types import TracebackType

import numpy as np
from celery.exceptions import SoftTimeLimitExceeded
from numpy.typing import NDArray

from workers import champion, pipeline
from workers.champion import Champion
from worklist import archive, database, jobs, logs, settings
from worklist.classifiers.versions import NoClassifier
from worklist.dicom.pixels import classifier_greys, displayed_greys
from worklist.errors import Unavailable, WorklistError
from worklist.triage import analyses, leases, record
from worklist.triage.leases import Claimant, Claimed
from worklist.triage.prediction import Prediction
from worklist.triage.record import Outcome

log = logs.logger(__name__)


def analyse(instance_id: int) -> int:
    """Analyse an image and others that wait with it, in one batch; return how many were done."""
    try:
        network = champion.current()
    except NoClassifier as error:
        with database.transaction() as session:
            record.mark_without_classifier(session, str(error))
        return 0
    claimant = Claimant(worker_name(), network.version_id, pipeline.PREPROCESSING_VERSION)
    with database.transaction() as session:
        record.mark_waiting_again(session)
        claims = analyses.claim_batch(session, instance_id, claimant)
    if not claims:
        return 0
    return finish(claims, network)


def finish(claims: Sequence[Claimed], network: Champion) -> int:
    """Predict what was claimed and store it; return of how many images people see a new result."""
    with SignOfLife(claims):
        predictions = _predict(claims, network)
        return _record(claims, predictions)


def _record(claims: Sequence[Claimed], predictions: Sequence[Prediction]) -> int:
    outcomes = [
        Outcome(claimed.analysis_id, claimed.attempt, prediction)
        for claimed, prediction in zip(claims, predictions, strict=True)
    ]
    with database.transaction() as session:
        done = record.record_predictions(session, outcomes)
        for instance_id in done:
            jobs.enqueue(session, jobs.WRITE_DISPLAY_COPY, instance_id)
    log.info("images analysed", images=len(claims), failed=sum(bool(item.reason) for item in predictions))
    return len(done)


def _predict(claims: Sequence[Claimed], network: Champion) -> list[Prediction]:
    """Predict as one batch; if that breaks, image by image, so that one cannot spoil the others."""
    images = [_greys(claimed) for claimed in claims]
    readable = [item for item in images if not isinstance(item, Prediction)]
    try:
        predicted = iter(pipeline.predict(readable, network.classifier))
        return [item if isinstance(item, Prediction) else next(predicted) for item in images]
    except SoftTimeLimitExceeded:
        raise  # the claims run out, and each image gets its next chance alone
    except Exception as error:
        log.exception("batch failed", images=len(claims))
        if len(claims) > 1:
            return [prediction for claimed in claims for prediction in _predict([claimed], network)]
        return [Prediction(reason=f"Cannot be analysed: the classifier failed ({type(error).__name__}).")]


def _greys(claimed: Claimed) -> NDArray[np.float32] | Prediction:
    try:
        return classifier_greys(displayed_greys(archive.path_of(claimed.file_path)))
    except (SoftTimeLimitExceeded, Unavailable):
        raise  # says nothing of this image; the sweep offers it again
    except WorklistError as error:
        return Prediction(reason=_sentence(str(error)))
    except Exception as error:
        log.exception("image not readable", instance=claimed.instance_id)
        return Prediction(reason=f"Cannot be analysed: the image cannot be read ({type(error).__name__}).")


def _sentence(reason: str) -> str:
    """Return a reason as the list shows it."""
    return f"{reason[:1].upper()}{reason[1:].rstrip('.')}."


def worker_name() -> str:
    """Return the name under which this process claims: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


class SignOfLife:
    """Renews claims from a thread while the batch is computed, so that a short lease is enough."""

    def __init__(self, claims: Sequence[Claimed]) -> None:
        self._claims = claims
        self._interval = settings.current().analysis_lease_seconds / 4
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="sign-of-life", daemon=True)

    def __enter__(self) -> "SignOfLife":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._done.wait(self._interval):
            try:
                with database.transaction() as session:
                    leases.renew(session, self._claims)
            except WorklistError as error:
                log.warning("claims not renewed", reason=str(error))
