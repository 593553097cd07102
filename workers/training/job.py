"""The training job: claim a run, make its snapshot, train in a process of its own, measure, register."""

import json
import sys
import time
from dataclasses import fields
from pathlib import Path

from workers.analysis import worker_name
from workers.training import outcome
from workers.training.__main__ import BUSY, STOPPED
from workers.training.events import Cancelled, Stage, TrainingEvent, Watch
from workers.training.lease import Lease
from workers.training.process import follow
from worklist import database, logs, settings
from worklist.classifiers import run_log, runs, snapshots
from worklist.classifiers.recipe import Recipe
from worklist.classifiers.run_log import Point
from worklist.dataset.faults import Fault
from worklist.dataset.snapshot import SnapshotImage, read_snapshot, write_snapshot
from worklist.errors import Invalid, Unavailable, WorklistError
from worklist.tables import ClassifierVersion, TrainingRun, TrainingState

log = logs.logger(__name__)

SECONDS_BETWEEN_PROGRESS = 5
_POINT = {field.name for field in fields(Point)}


class _Interrupted(Exception):
    """The trainer's process ended before its work; the next attempt goes on."""


def train(run_id: int) -> None:
    """Do a run, or go on with it; how it ends stands in its row."""
    with database.transaction() as session:
        run = runs.claim(session, run_id, worker_name())
    if run is None:
        return
    log.info("training claimed", attempt=run.attempt)
    with Lease(run.id, run.attempt) as lease:
        try:
            _Job(run, lease).do()
        except Cancelled:
            _stop(run)
        except _Interrupted as error:
            _say(run, str(error))
            with database.transaction() as session:
                runs.let_go(session, run.id, run.attempt)
        except WorklistError as error:
            _fail(run, str(error))
        except Exception as error:
            log.exception("training failed")
            _fail(run, f"The training failed ({type(error).__name__}); the log of the worker says where.")


class _Job:
    """One attempt at a run, in order."""

    def __init__(self, run: TrainingRun, lease: Lease) -> None:
        self._run, self._lease = run, lease
        self._folder = runs.folder(run)
        self._cache = settings.current().cache_folder / "training"
        self._watch = Watch(lambda event: _store(run, event), lease.is_lost)

    def do(self) -> None:
        """Make the snapshot, train, measure, register."""
        images = self._snapshot()
        self._train()
        card = outcome.write_card(self._run, self._folder, images, self._cache, self._watch)
        self._watch.check("the registration")
        with database.transaction() as session:
            run = runs.held(session, self._run.id, self._run.attempt)
            if run is not None:
                outcome.register(session, run, card)

    def _snapshot(self) -> list[SnapshotImage]:
        """Return the images of the run: those of its first attempt, whatever readers have said since."""
        path = self._folder / "snapshot.jsonl"
        if self._run.snapshot_sha256:
            return read_snapshot(path, sha256=self._run.snapshot_sha256)
        _say(self._run, "Collecting the labelled images.", Stage.START)
        images = snapshots.joined(self._of_verdicts(), self._of_folder())
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = write_snapshot(path, images)
        except OSError as error:
            raise Unavailable(f"The folder {self._folder} cannot be written: {error.strerror}.") from error
        with database.transaction() as session:
            run = runs.held(session, self._run.id, self._run.attempt)
            if run is None:
                raise Cancelled("The training was stopped before its snapshot was made.")
            run.snapshot_sha256, run.counts = digest, snapshots.counts(images)
        self._run.snapshot_sha256, self._run.counts = digest, run.counts
        patients = len({image.patient for image in images})
        _say(self._run, f"{len(images)} labelled images of {patients} patients.", Stage.START)
        return images

    def _of_verdicts(self) -> list[SnapshotImage]:
        if not self._run.data["verdicts"]:
            return []
        with database.reading() as session:
            return snapshots.from_verdicts(session)

    def _of_folder(self) -> list[SnapshotImage]:
        if not self._run.data["folder"]:
            return []
        faults: list[Fault] = []
        images = snapshots.from_folder(Path(self._run.data["folder"]), faults.append)
        if faults:
            _say(
                self._run,
                f"{len(faults)} faults in the folder, such as: {faults[0].sentence} "
                "'worklist dataset summary' names all.",
                Stage.START,
            )
        return images

    def _train(self) -> None:
        """Run the trainer, unless a former attempt came so far."""
        recipe = self._folder / "recipe.json"
        recipe.write_text(Recipe.from_json(json.dumps(self._run.recipe)).to_json(), encoding="utf-8")
        command = [
            *(sys.executable, "-m", "workers.training", str(self._folder / "snapshot.jsonl"), "--json"),
            *("--to", str(self._folder), "--recipe", str(recipe), "--cache", str(self._cache)),
            *self._start(),
        ]
        teller = _Teller(self._run)
        status = follow(
            command, tell=teller.take, should_stop=self._lease.is_lost, log=self._folder / "trainer.log"
        )
        if self._lease.is_lost():
            raise Cancelled("The training was stopped.")
        if status < 0 or status in (STOPPED, BUSY):
            how = f"signal {-status}" if status < 0 else f"status {status}"
            raise _Interrupted(f"The trainer ended with {how}; the training goes on from its last checkpoint.")
        if status:
            raise Invalid(teller.last_message or f"The trainer ended with status {status}: see trainer.log.")

    def _start(self) -> list[str]:
        if self._run.base_version_id is None:
            return ["--start", self._run.start]
        with database.reading() as session:
            base = session.get_one(ClassifierVersion, self._run.base_version_id)
        return ["--start", base.weights_path, "--start-sha256", base.weights_sha256]


class _Teller:
    """Takes the trainer's lines and keeps those that a person would miss."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        self._progress_at = float("-inf")
        self.last_message = ""

    def take(self, line: str) -> None:
        """Store an event; mere progress only every few seconds, and lines of libraries never."""
        try:
            event = TrainingEvent(**json.loads(line))
        except (TypeError, ValueError):
            return
        self.last_message = event.message or self.last_message
        now = time.monotonic()
        if event.message or event.metrics or now - self._progress_at >= SECONDS_BETWEEN_PROGRESS:
            self._progress_at = now
            _store(self._run, event)


def _say(run: TrainingRun, message: str, stage: Stage = Stage.START) -> None:
    _store(run, TrainingEvent(stage, message=message))


def _store(run: TrainingRun, event: TrainingEvent) -> None:
    try:
        with database.transaction() as session:
            run_log.add(session, run.id, Point(**{name: getattr(event, name) for name in _POINT}))
    except Unavailable as error:
        # A gap in the curve is no reason to lose a night.
        log.warning("event of a training not stored", reason=str(error))


def _stop(run: TrainingRun) -> None:
    """Note that somebody cancelled; nothing is noted for a run that another worker has taken over."""
    with database.transaction() as session:
        ours = runs.held(session, run.id, run.attempt)
        if ours is not None:
            by = "An administrator cancelled it."
            runs.end(session, ours, TrainingState.CANCELLED, reason=by)


def _fail(run: TrainingRun, reason: str) -> None:
    with database.transaction() as session:
        ours = runs.held(session, run.id, run.attempt)
        if ours is not None:
            runs.end(session, ours, TrainingState.FAILED, reason=reason)
