"""What happens, in order: a first version, another hospital, its verdicts, a second version, the gate."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sklearn.metrics import roc_auc_score
from sqlalchemy import func, select

from benchmarks.classifier_life.population import DrawnStudy, draw_studies, other_hospital
from benchmarks.classifier_life.ranking import Order, ordered
from benchmarks.classifier_life.reader import read
from benchmarks.classifier_life.site import Person, Site, wait_until
from worklist import database
from worklist.classifiers import promotion, run_log, runs, versions
from worklist.dataset.synthesis import synthesize
from worklist.demo import preparation
from worklist.tables import Instance, Result, Study
from worklist.triage import rescoring
from worklist.triage.list_query import Filters
from worklist.triage.ranked_list import ranked_page

START = "demo-1"
FIRST, SECOND = "home-1", "home-2"
STATE = re.compile(r'class="run-state (\w+)"')
SEEN = re.compile(r'name="seen" value="([^"]+)"')
HALF_AN_HOUR = 1800


@dataclass(frozen=True)
class Size:
    """How much of everything.

    Parameters
    ----------
    patients
        Of the folder that the first version learns from.
    verdicts, watched, waiting
        Studies of the other hospital: read before the second training, read while its outcome watches, and
        waiting in the list that is ordered by either version.
    first, second
        Fields of the form: the recipe and what differs from it.
    """

    patients: int
    verdicts: int
    watched: int
    waiting: int
    first: dict[str, str]
    second: dict[str, str]


SIZES = {
    "full": Size(
        patients=210,
        verdicts=200,
        watched=140,
        waiting=120,
        first={"recipe": "head"},
        second={"recipe": "last-block", "epochs": "4"},
    ),
    "small": Size(
        patients=112,
        verdicts=42,
        watched=14,
        waiting=28,
        first={"recipe": "head", "input_size_px": "64"},
        second={"recipe": "head", "input_size_px": "64"},
    ),
}


@dataclass
class Outcome:
    """All that the report tells."""

    cards: dict[str, dict[str, Any]] = field(default_factory=dict)
    curves: dict[str, list[Any]] = field(default_factory=dict)
    gates: dict[str, promotion.Gate] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    areas: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


class Life:
    """One run through it all on a site that is up.

    Parameters
    ----------
    work
        Folder for what is drawn.
    """

    def __init__(self, site: Site, size: Size, work: Path) -> None:
        self.site, self.size, self.work = site, size, work
        self.outcome = Outcome()
        self.truth: dict[str, bool] = {}

    def live(self) -> Outcome:
        """Do all of it."""
        self._do("drawing the folder", self._draw_folder)
        self._do("first training", self._train_first)
        self._do("first gate", lambda: self._promote(FIRST, "The first version of this site."))
        self._do("verdicts", self._read_other_hospital)
        self._do("second training", self._train_second)
        self._do("in shadow", self._watch)
        self._do("list by the first version", self._fill_list)
        self._do("second gate", lambda: self._promote(SECOND, "It is better on what comes now."))
        self._do("list by the second version", self._order_anew)
        return self.outcome

    def _do(self, name: str, step: Callable[[], None]) -> None:
        started = time.monotonic()
        print(f"{name} …", flush=True)
        step()
        self.outcome.seconds[name] = time.monotonic() - started
        print(f"{name}: {self.outcome.seconds[name]:.0f} s", flush=True)

    def _draw_folder(self) -> None:
        images = synthesize(
            self.work / "MURA-v1.1", patients=self.size.patients, valid_share=0.3, longest_px=400
        )
        self.outcome.counts["images of the folder"] = len(images)

    def _train_first(self) -> None:
        with database.transaction() as session:
            versions.register(session, preparation.CARD, "adam")
        form = {"base": START, "folder": str(self.work / "MURA-v1.1"), **self.size.first}
        self._train(FIRST, form)

    def _train_second(self) -> None:
        form = {
            "base": FIRST,
            "verdicts": "on",
            "folder": str(self.work / "MURA-v1.1"),
            **self.size.second,
        }
        self._train(SECOND, form)

    def _train(self, name: str, form: dict[str, str]) -> None:
        """Start a training from the page and follow it there."""
        adam = self.site.person("adam")
        form = {"name": name, "start": "version", "flips": "on", "class_weights": "on", **form}
        page = adam.post("/admin/training", on="/admin/training", **form)
        run_id = int(page.url.rsplit("/", 1)[1])
        wait_until(
            lambda: self._state(adam, run_id) not in ("queued", "running"), f"{name} is trained", HALF_AN_HOUR
        )
        with database.reading() as session:
            run = runs.existing(session, run_id)
            assert run.version_id, f"the training ended as {run.state}: {run.reason}"
            self.outcome.cards[name] = versions.existing(session, run.version_id).card
            self.outcome.curves[name] = [
                (point.epoch, dict(point.metrics)) for point in run_log.curve(session, run_id) if point.metrics
            ]

    @staticmethod
    def _state(person: Person, run_id: int) -> str:
        found = STATE.search(person.get(f"/admin/training/{run_id}/progress").text)
        assert found is not None
        return found[1]

    def _promote(self, name: str, reason: str) -> None:
        """Sign at the gate."""
        adam = self.site.person("adam")
        with database.reading() as session:
            version_id = versions.named(session, name).id
            self.outcome.gates[name] = promotion.gate(session, version_id)
        address = f"/admin/classifiers/{version_id}/gate"
        page = adam.get(address).text
        seen = SEEN.search(page)
        assert seen is not None
        adam.send(address, page, {"seen": seen[1], "password": self.site.password, "reason": reason})
        with database.reading() as session:
            assert versions.named(session, name).state == "champion"

    def _read_other_hospital(self) -> None:
        self._send("verdicts", first_seed=7_000_000, number=self.size.verdicts, abnormal_of_ten=5)
        self._wait_scored()
        self.outcome.areas["first version on the studies read"] = self._area(FIRST)
        read(self.site.person("rita"), self.size.verdicts, self.truth)

    def _watch(self) -> None:
        adam = self.site.person("adam")
        with database.reading() as session:
            version_id = versions.named(session, SECOND).id
        adam.post(f"/admin/classifiers/{version_id}/shadow", on="/admin/classifiers")
        self._send("watched", first_seed=7_300_000, number=self.size.watched, abnormal_of_ten=5)
        self._wait_scored()
        self._wait_judged(SECOND)
        read(self.site.person("rita"), self.size.watched, self.truth)

    def _fill_list(self) -> None:
        studies = self._send("waiting", first_seed=7_600_000, number=self.size.waiting, abnormal_of_ten=3)
        self._wait_scored()
        self._wait_judged(SECOND)
        self.outcome.orders["in order of arrival"] = Order(tuple(study.is_abnormal for study in studies))
        self._order(FIRST)

    def _order_anew(self) -> None:
        def is_scored_anew() -> bool:
            with database.reading() as session:
                version_id = versions.named(session, SECOND).id
                other = select(func.count()).where(Study.is_open, Study.scored_by_id != version_id)
                return not session.scalar(other) and not rescoring.backlog(session, version_id).left

        wait_until(is_scored_anew, "the list is scored anew", HALF_AN_HOUR)
        self._order(SECOND)

    def _order(self, name: str) -> None:
        with database.reading() as session:
            rows = ranked_page(session, Filters(), limit=self.size.waiting + 1).rows
        assert len(rows) == self.size.waiting
        self.outcome.orders[f"by {name}"] = ordered([row.accession_number for row in rows], self.truth)
        self.outcome.areas[f"{name} on the list"] = _area(
            [(self.truth[row.accession_number], row.study_probability) for row in rows]
        )

    def _send(self, name: str, *, first_seed: int, number: int, abnormal_of_ten: int) -> Sequence[DrawnStudy]:
        seeds = range(first_seed, first_seed + number)
        studies = draw_studies(self.work / name, other_hospital, seeds, abnormal_of_ten=abnormal_of_ten)
        self.truth |= {study.accession_number: study.is_abnormal for study in studies}
        sent = sum(self.site.send(study.folder) for study in studies)
        self.outcome.counts[f"images sent, {name}"] = sent
        return studies

    def _wait_scored(self) -> None:
        def is_scored() -> bool:
            with database.reading() as session:
                waiting = select(func.count()).where(Instance.needs_analysis)
                unscored = select(func.count()).where(Study.is_open, Study.result != Result.SCORED)
                return not session.scalar(waiting) and not session.scalar(unscored)

        wait_until(is_scored, "every study is scored", HALF_AN_HOUR)

    def _wait_judged(self, name: str) -> None:
        def is_done() -> bool:
            with database.reading() as session:
                return not rescoring.backlog(session, versions.named(session, name).id).left

        wait_until(is_done, f"{name} has judged every image", HALF_AN_HOUR)

    def _area(self, name: str) -> float:
        with database.reading() as session:
            rows = session.execute(
                select(Study.accession_number, Study.study_probability).where(Study.is_open)
            ).all()
        return _area([(self.truth[row.accession_number], row.study_probability) for row in rows])


def _area(pairs: Sequence[tuple[bool, float | None]]) -> float:
    """Return the AUC of a list of truths and probabilities."""
    return float(roc_auc_score([truth for truth, _ in pairs], [probability for _, probability in pairs]))
