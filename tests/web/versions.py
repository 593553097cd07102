"""A site with versions of the classifier in every state, and trainings."""

from datetime import timedelta
from typing import Any

from tests.factories import make_classifier, make_study, make_user
from tests.worklist.evaluation.drawn import population
from worklist import clock, database
from worklist.classifiers import run_log, runs
from worklist.classifiers.run_log import Point
from worklist.classifiers.runs import Request
from worklist.dataset.snapshot import Role
from worklist.evaluation import comparison, report
from worklist.tables import Attention, BodyPart, ClassifierState, Opinion, Verdict

CHAMPION_SHA256 = "a" * 64
STATEMENT = "Not a medical device. Figures hold for studies like those that it was measured on."


def card(name: str, sha256: str, *, champion: str = "in-charge-1") -> dict[str, Any]:
    """Return a card as the training job writes it, with figures of drawn numbers."""
    images, logits = population(studies=300, slope=0.7)
    made = {
        "name": name,
        "is_demo": False,
        "statement": STATEMENT,
        "architecture": "DenseNet201, global average pooling, dropout, one logit",
        "sha256": sha256,
        "input_size_px": 224,
        "start": {"kind": "version", "version": champion},
        "recipe": {"layers": "last-block", "input_size_px": 224, "epochs": 4},
        "requested_by": "adam",
        "trained_at": "2026-05-01T12:00:00+00:00",
        "data": {
            "snapshot_sha256": "5" * 64,
            "counts": {role: {"WRIST": {"abnormal": 30, "normal": 40}} for role in ("fit", "tune", "test")},
            "label_rule": "Most readers decide.",
            "folder": "/data/MURA-v1.1",
        },
        **report.measure(images, logits),
    }
    test = [image for image in images if image.role is Role.TEST]
    pairs = comparison.held_out(test, logits, made, {name: logit / 2 for name, logit in logits.items()}, made)
    made["comparison"] = {
        "champion": champion,
        "champion_sha256": CHAMPION_SHA256,
        "studies": len(pairs),
        "snapshot_sha256": "5" * 64,
        "tests": [test.as_json() for test in comparison.compare(pairs)],
    }
    return made


def make_versions() -> dict[str, int]:
    """Add a version in every state; return their ids by name."""
    with database.transaction() as session:
        made = [
            make_classifier(session, name="former-1", state=ClassifierState.RETIRED),
            make_classifier(
                session,
                name="in-charge-1",
                weights_sha256=CHAMPION_SHA256,
                card=card("in-charge-1", CHAMPION_SHA256),
            ),
            make_classifier(
                session,
                name="watching-1",
                state=ClassifierState.SHADOW,
                weights_sha256="b" * 64,
                shadow_since=clock.now() - timedelta(days=2),
                card=card("watching-1", "b" * 64),
            ),
            make_classifier(
                session, name="draft-1", state=ClassifierState.DRAFT, trouble="The weights cannot be read."
            ),
        ]
        made[0].promoted_at = clock.now() - timedelta(days=30)
        return {version.name: version.id for version in made}


def make_verdicts() -> None:
    """Add studies that a reader has judged, with and against the classifier."""
    with database.transaction() as session:
        reader = make_user(session, "omar")
        for number in range(12):
            study = make_study(
                session,
                probability=0.9 if number % 3 else 0.1,
                attention=Attention.FLAGGED if number % 3 else Attention.NONE,
                body_part=list(BodyPart)[number % 7],
            )
            session.add(
                Verdict(
                    study_id=study.id,
                    user_id=reader.id,
                    opinion=Opinion.ABNORMAL if number % 2 else Opinion.NORMAL,
                    result_version=1,
                    visible={},
                    given_at=clock.now(),
                )
            )


def make_training(name: str = "next-1", *, epochs: int = 4) -> int:
    """Add a training that a worker has in hand, in its second epoch; return its id."""
    with database.transaction() as session:
        request = Request(name, {"layers": "last-block", "epochs": epochs}, start="scratch", folder="/data/M")
        run = runs.ask(session, request, "adam")
        runs.claim(session, run.id, "worker-1")
        run_log.add(session, run.id, Point("start", message="300 labelled images of 110 patients."))
        metrics = {"study_kappa": 0.41, "study_auc": 0.83}
        run_log.add(session, run.id, Point("head", metrics=metrics, message="The last layer is fitted."))
        for step in range(1, 9):
            point = Point("fine-tuning", 1, epochs, step, 8, loss=0.6 - step / 40, seconds_left=90)
            run_log.add(session, run.id, point)
        metrics = {"study_kappa": 0.52, "study_auc": 0.88}
        run_log.add(session, run.id, Point("fine-tuning", 1, epochs, 8, 8, metrics=metrics))
        run_log.add(session, run.id, Point("fine-tuning", 2, epochs, 4, 8, loss=0.39, seconds_left=75))
        return run.id
