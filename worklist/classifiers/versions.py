"""Register a classifier version from its card, put it in charge, find the one in charge."""

import hashlib
import json
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from worklist import audit, clock
from worklist.errors import Conflict, Invalid, NotFound
from worklist.tables import (
    Attention,
    BodyPart,
    Calibration,
    ClassifierState,
    ClassifierVersion,
    OperatingPoint,
)

NO_CHAMPION = (
    "Not scored: no classifier is approved. An administrator registers one with "
    "'worklist classifier register CARD' and puts it in charge with 'worklist classifier promote NAME'."
)
ONLY_DEMO = (
    "Not scored: the classifier in charge is the demo classifier, which is not validated; "
    "it scores only where WORKLIST_DEMO=true."
)


class NoClassifier(NotFound):
    """Nothing may be scored; the message says why."""


def champion(session: Session, *, allow_demo: bool) -> ClassifierVersion:
    """Return the classifier version in charge.

    Raises
    ------
    NoClassifier
        If there is none, or only the demo classifier outside demo mode.
    """
    version = session.scalars(
        select(ClassifierVersion).where(ClassifierVersion.state == ClassifierState.CHAMPION)
    ).first()
    if version is None:
        raise NoClassifier(NO_CHAMPION)
    if version.is_demo and not allow_demo:
        raise NoClassifier(ONLY_DEMO)
    return version


def register(session: Session, card_path: Path, who: str) -> ClassifierVersion:
    """Add a draft version from a card (``card.json`` beside its weights).

    Raises
    ------
    Invalid
        If the card or the weights cannot be read, or do not belong together.
    Conflict
        If another version has that name.
    """
    card = _read_card(card_path)
    weights = (card_path.parent / str(card["weights"])).resolve()
    _check_hash(weights, str(card["sha256"]))
    try:
        version = _version(card, weights, who)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Invalid(f"The card {card_path} has a value that does not belong there: {error}.") from error
    name = version.name
    if session.scalars(select(ClassifierVersion.id).where(ClassifierVersion.name == name)).first():
        raise Conflict(f"A classifier version named {name} is registered already.")
    session.add(version)
    session.flush()
    audit.record(session, who, "classifier.registered", about=("classifier_version", version.id), name=name)
    return version


def promote(session: Session, name: str, who: str) -> ClassifierVersion:
    """Put a version in charge; the former champion is retired.

    Raises
    ------
    NotFound
        If no version has that name.
    """
    version = _version_named(session, name)
    session.execute(
        update(ClassifierVersion)
        .where(ClassifierVersion.state == ClassifierState.CHAMPION, ClassifierVersion.id != version.id)
        .values(state=ClassifierState.RETIRED)
    )
    version.state = ClassifierState.CHAMPION
    version.promoted_at = clock.now()
    audit.record(session, who, "classifier.promoted", about=("classifier_version", version.id), name=name)
    return version


def with_figures(session: Session, name: str | None = None) -> ClassifierVersion:
    """Return a version, by default the one in charge, with its calibrations and operating points.

    Raises
    ------
    NotFound
        If no version has that name, or none is in charge.
    """
    version = _version_named(session, name) if name else champion(session, allow_demo=True)
    return session.scalars(
        select(ClassifierVersion)
        .where(ClassifierVersion.id == version.id)
        .options(selectinload(ClassifierVersion.calibrations), selectinload(ClassifierVersion.operating_points))
        .execution_options(populate_existing=True)
    ).one()


def versions(session: Session) -> list[ClassifierVersion]:
    """Return all versions, the newest first."""
    return list(session.scalars(select(ClassifierVersion).order_by(ClassifierVersion.id.desc())))


def _version_named(session: Session, name: str) -> ClassifierVersion:
    version = session.scalars(select(ClassifierVersion).where(ClassifierVersion.name == name)).first()
    if version is None:
        raise NotFound(f"No classifier version is named {name}.")
    return version


def _version(card: dict[str, Any], weights: Path, who: str) -> ClassifierVersion:
    input_size_px = int(card["input_size_px"])
    if input_size_px < 1:
        raise ValueError(f"input_size_px is {input_size_px}")
    return ClassifierVersion(
        name=str(card["name"]),
        state=ClassifierState.DRAFT,
        weights_path=str(weights),
        weights_sha256=str(card["sha256"]),
        input_size_px=input_size_px,
        is_demo=bool(card["is_demo"]),
        card=card,
        registered_at=clock.now(),
        registered_by=who,
        calibrations=_calibrations(card),
        operating_points=_operating_points(card),
    )


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(f"The card {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise Invalid(f"The card {path} is not JSON: {error}.") from error
    if not isinstance(card, dict):
        raise Invalid(f"The card {path} is not a JSON object.")
    missing = sorted({"name", "weights", "sha256", "input_size_px", "is_demo"} - set(card))
    if missing:
        raise Invalid(f"The card {path} does not say {', '.join(missing)}.")
    return card


def _check_hash(weights: Path, expected: str) -> None:
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Invalid(f"The weights {weights} cannot be read: {error.strerror}.") from error
    if found != expected:
        raise Invalid(f"The weights {weights} have SHA-256 {found}, their card says {expected}.")


def _calibrations(card: dict[str, Any]) -> list[Calibration]:
    return [
        Calibration(
            body_part=BodyPart(part), slope=_positive(item["slope"]), intercept=float(item["intercept"])
        )
        for part, item in card.get("calibration", {}).items()
    ]


def _positive(slope: Any) -> float:
    # With any other slope a higher logit would be a lower probability.
    if not float(slope) > 0:
        raise ValueError(f"a calibration has slope {slope}")
    return float(slope)


def _operating_points(card: dict[str, Any]) -> list[OperatingPoint]:
    return [
        OperatingPoint(body_part=BodyPart(part), attention=_named(name), **_figures(point))
        for part, points in card.get("operating_points", {}).items()
        for name, point in points.items()
    ]


def _named(name: str) -> Attention:
    if name not in (Attention.FLAGGED, Attention.LOOK_CLOSER):
        raise ValueError(f"there is no operating point {name!r}")
    return Attention(name)


def _figures(point: dict[str, Any]) -> dict[str, float | None]:
    if not 0 <= float(point["threshold"]) <= 1:
        raise ValueError(f"an operating point has threshold {point['threshold']}")
    names = ("sensitivity", "specificity")
    ends = tuple(f"{name}_{end}" for name in names for end in ("low", "high"))
    return {name: point.get(name) for name in ("threshold", *names, *ends)}
