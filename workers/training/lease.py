"""The lease of a run, renewed while its worker lives; lost when somebody cancels or another worker has it."""

import threading
from types import TracebackType

from worklist import database, logs
from worklist.classifiers import runs
from worklist.errors import WorklistError

log = logs.logger(__name__)

SECONDS_BETWEEN = 2.0
"""Between two signs of life: how long a person who cancels waits for the worker to notice."""


class Lease:
    """Signs of life of one attempt at a run, from a thread of its own."""

    def __init__(self, run_id: int, attempt: int) -> None:
        self._run_id, self._attempt = run_id, attempt
        self._lost, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._renew, name="training-lease", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def is_lost(self) -> bool:
        """Say whether this worker is to stop."""
        return self._lost.is_set()

    def _renew(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN):
            try:
                with database.transaction() as session:
                    is_ours = runs.renew(session, self._run_id, self._attempt)
            except WorklistError as error:
                # A night of training is not given up for a database that restarts.
                log.warning("lease of a training not renewed", reason=str(error))
                continue
            if not is_ours:
                self._lost.set()
                return
