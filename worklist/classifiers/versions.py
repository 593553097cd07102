"""The registry of classifier versions: draft, then shadow, then in charge, then retired; and back again.

Weights are looked up by their hash. What a version found stays with its analyses, whatever becomes of it.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from worklist import audit, clock
from worklist.classifiers import cards
from worklist.errors import Conflict, Invalid, NotFound
from worklist.tables import ClassifierState, ClassifierVersion
from worklist.triage import rescoring

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
    version = in_state(session, ClassifierState.CHAMPION)
    if version is None:
        raise NoClassifier(NO_CHAMPION)
    if version.is_demo and not allow_demo:
        raise NoClassifier(ONLY_DEMO)
    return version


def in_state(session: Session, state: ClassifierState) -> ClassifierVersion | None:
    """Return the newest version in a state; of the champion and the shadow there is one at most."""
    return session.scalars(
        select(ClassifierVersion).where(ClassifierVersion.state == state).order_by(ClassifierVersion.id.desc())
    ).first()


def named(session: Session, name: str) -> ClassifierVersion:
    """Return a version by its name.

    Raises
    ------
    NotFound
        If no version has that name.
    """
    version = session.scalars(select(ClassifierVersion).where(ClassifierVersion.name == name)).first()
    if version is None:
        raise NotFound(f"No classifier version is named {name}.")
    return version


def existing(session: Session, version_id: int) -> ClassifierVersion:
    """Return a version by its id.

    Raises
    ------
    NotFound
        If there is none.
    """
    version = session.get(ClassifierVersion, version_id)
    if version is None:
        raise NotFound("There is no such classifier version.")
    return version


def with_figures(session: Session, name: str | None = None) -> ClassifierVersion:
    """Return a version, by default the one in charge, with its calibrations and operating points.

    Raises
    ------
    NotFound
        If no version has that name, or none is in charge.
    """
    version = named(session, name) if name else champion(session, allow_demo=True)
    return session.scalars(
        select(ClassifierVersion)
        .where(ClassifierVersion.id == version.id)
        .options(selectinload(ClassifierVersion.calibrations), selectinload(ClassifierVersion.operating_points))
        .execution_options(populate_existing=True)
    ).one()


def versions(session: Session) -> list[ClassifierVersion]:
    """Return all versions, the newest first."""
    return list(session.scalars(select(ClassifierVersion).order_by(ClassifierVersion.id.desc())))


def former_champion(session: Session) -> ClassifierVersion | None:
    """Return the version that a roll-back puts in charge: of the retired ones, the last that was."""
    return session.scalars(
        select(ClassifierVersion)
        .where(
            ClassifierVersion.state == ClassifierState.RETIRED,
            ClassifierVersion.promoted_at.is_not(None),
        )
        .order_by(ClassifierVersion.promoted_at.desc(), ClassifierVersion.id.desc())
    ).first()


def register(session: Session, card_path: Path, who: str) -> ClassifierVersion:
    """Add a draft version from a card (``card.json`` beside its weights).

    Raises
    ------
    Invalid
        If the card or the weights cannot be read, or do not belong together.
    Conflict
        If another version has that name.
    """
    card = cards.read_card(card_path)
    try:
        version = _version(card, who)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Invalid(f"The card {card_path} has a value that does not belong there: {error}.") from error
    name = version.name
    if session.scalars(select(ClassifierVersion.id).where(ClassifierVersion.name == name)).first():
        raise Conflict(f"A classifier version named {name} is registered already.")
    weights = (card_path.parent / str(card["weights"])).resolve()
    version.weights_path = str(cards.keep_weights(weights, version.weights_sha256))
    session.add(version)
    session.flush()
    _record(session, "registered", version, who)
    return version


def watch(session: Session, name: str, who: str) -> ClassifierVersion:
    """Let a version analyse everything from now on, and what waits for its reader, and show nothing of it.

    Raises
    ------
    Conflict
        If it is in charge, or another version watches.
    """
    version = named(session, name)
    if version.state is ClassifierState.SHADOW:
        return version
    if version.state is ClassifierState.CHAMPION:
        raise Conflict(f"{name} is in charge: what it finds is shown.")
    other = in_state(session, ClassifierState.SHADOW)
    if other is not None:
        raise Conflict(
            f"{other.name} is in shadow already; retire it first, since one version can be at a time."
        )
    version.state = ClassifierState.SHADOW
    version.shadow_since = clock.now()
    session.flush()
    images = rescoring.offer_open_studies(session, version.id)
    _record(session, "in_shadow", version, who, images=images)
    return version


def promote(session: Session, name: str, who: str, **signed: Any) -> ClassifierVersion:
    """Put a version in charge; the former champion is retired, and studies that wait are scored anew.

    The former scores stay with their analyses, and are shown until the new ones are there.

    Parameters
    ----------
    signed
        What the decision was based on, for the audit stream.

    Raises
    ------
    NotFound
        If no version has that name.
    """
    version = named(session, name)
    session.execute(
        update(ClassifierVersion)
        .where(ClassifierVersion.state == ClassifierState.CHAMPION, ClassifierVersion.id != version.id)
        .values(state=ClassifierState.RETIRED)
    )
    former = former_champion(session)
    version.state = ClassifierState.CHAMPION
    version.promoted_at = clock.now()
    session.flush()
    if former is not None:
        rescoring.withdraw(session, former.id)
    images = rescoring.offer_open_studies(session, version.id)
    _record(session, "promoted", version, who, images=images, **signed)
    return version


def roll_back(session: Session, who: str, reason: str = "") -> ClassifierVersion:
    """Put the former champion back in charge.

    Raises
    ------
    Conflict
        If there is none.
    """
    former = former_champion(session)
    if former is None:
        raise Conflict("No version was in charge before this one.")
    return promote(session, former.name, who, roll_back=True, reason=reason)


def retire(session: Session, name: str, who: str) -> ClassifierVersion:
    """Take a draft or the shadow out of the running; its analyses stay.

    Raises
    ------
    Conflict
        If it is in charge.
    """
    version = named(session, name)
    if version.state is ClassifierState.CHAMPION:
        raise Conflict(f"{name} is in charge: put another version in charge, and it is retired.")
    if version.state is not ClassifierState.RETIRED:
        version.state = ClassifierState.RETIRED
        session.flush()
        rescoring.withdraw(session, version.id)
        _record(session, "retired", version, who)
    return version


def _version(card: dict[str, Any], who: str) -> ClassifierVersion:
    input_size_px = int(card["input_size_px"])
    if input_size_px < 1:
        raise ValueError(f"input_size_px is {input_size_px}")
    return ClassifierVersion(
        name=str(card["name"]),
        state=ClassifierState.DRAFT,
        weights_path="",
        weights_sha256=str(card["sha256"]),
        input_size_px=input_size_px,
        is_demo=bool(card["is_demo"]),
        card=card,
        registered_at=clock.now(),
        registered_by=who,
        calibrations=cards.calibrations(card),
        operating_points=cards.operating_points(card),
    )


def _record(session: Session, act: str, version: ClassifierVersion, who: str, **detail: Any) -> None:
    about = ("classifier_version", version.id)
    audit.record(session, who, f"classifier.{act}", about=about, name=version.name, **detail)
