"""A classifier's life in a reduced form: DICOM and pages from outside, and a training worker that is killed."""

import os
import signal
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from benchmarks.classifier_life import report
from benchmarks.classifier_life.life import FIRST, SECOND, SIZES, Life
from benchmarks.classifier_life.site import started
from tests.system.stack import site_processes
from worklist import clock, database
from worklist.classifiers import versions
from worklist.tables import ClassifierState, TrainingEvent, TrainingRun, TrainingState

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


class Killer(threading.Thread):
    """Kills every process of the training worker as soon as the second training has shown that it learns."""

    def __init__(self, data: Path) -> None:
        super().__init__(daemon=True)
        self.data = data
        self.killed: list[str] = []

    def run(self) -> None:
        deadline = time.monotonic() + 600
        while not self.killed and time.monotonic() < deadline:
            time.sleep(0.1)
            if (run_id := self._learning()) is not None:
                self._kill()
                self._end_lease(run_id)

    def _learning(self) -> int | None:
        with database.reading() as session:
            return session.scalars(
                select(TrainingRun.id)
                .join(TrainingEvent)
                .where(TrainingRun.name == SECOND, TrainingEvent.stage == "features")
            ).first()

    def _kill(self) -> None:
        for pid, command in site_processes(self.data).items():
            if "workers training" in command or "workers.training" in command:
                self.killed.append(command)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _end_lease(self, run_id: int) -> None:
        """Let nobody wait two minutes until the dead worker is noticed."""
        with database.transaction() as session:
            past = clock.now() - timedelta(seconds=1)
            session.execute(update(TrainingRun).where(TrainingRun.id == run_id).values(lease_expires_at=past))


def test_a_classifier_lives_from_an_empty_database_to_its_successor(environment: None, tmp_path: Path) -> None:
    os.environ["WORKLIST_SWEEP_SECONDS"] = "2"
    with started(tmp_path / "site") as site:
        killer = Killer(tmp_path / "site")
        killer.start()
        outcome = Life(site, SIZES["small"], tmp_path).live()
        with database.reading() as session:
            states = {version.name: version.state for version in versions.versions(session)}
            run = session.scalars(select(TrainingRun).where(TrainingRun.name == SECOND)).one()
    assert states[SECOND] is ClassifierState.CHAMPION
    assert states[FIRST] is ClassifierState.RETIRED
    # The worker and its trainer were killed, and the next worker went on with the same run.
    assert len(killer.killed) >= 2
    assert (run.attempt, run.state) == (2, TrainingState.DONE)
    # All that was sent by C-STORE was ranked, by one version and then by the other.
    assert {len(order.is_abnormal) for order in outcome.orders.values()} == {SIZES["small"].waiting}
    assert any("abnormal and" in test.figure for test in outcome.gates[SECOND].live)
    assert f"by {SECOND}" in report.text(outcome)
