"""The classifier in charge, and the one in shadow, loaded and warm in this process."""

import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select, update

from workers.engines import choice
from workers.pipeline import Network
from worklist import database, logs, settings
from worklist.classifiers import versions
from worklist.classifiers.versions import NoClassifier
from worklist.errors import WorklistError
from worklist.tables import ClassifierState, ClassifierVersion

log = logs.logger(__name__)


@dataclass(frozen=True)
class Champion:
    """A classifier version and its network."""

    version_id: int
    classifier: Network


# The one in charge and, where there is one, the one in shadow; whoever is neither any more is let go.
_loaded: dict[int, Champion] = {}


def current() -> Champion:
    """Return the classifier in charge, loading it if it has changed.

    Raises
    ------
    NoClassifier
        If nothing may be scored, or the weights cannot be loaded; the message says why.
    """
    with database.reading() as session:
        version = versions.champion(session, allow_demo=settings.current().demo)
    return _ready(version)


def of_version(version_id: int) -> Champion:
    """Return the classifier in charge or in shadow, whichever has this id.

    Raises
    ------
    NoClassifier
        If it is neither any more, or cannot be loaded.
    """
    with database.reading() as session:
        version = session.get(ClassifierVersion, version_id)
    if version is None or version.state not in (ClassifierState.CHAMPION, ClassifierState.SHADOW):
        raise NoClassifier("The classifier version is neither in charge nor in shadow any more.")
    return _ready(version)


def _ready(version: ClassifierVersion) -> Champion:
    if version.id not in _loaded:
        _forget_others()
        try:
            classifier = _load(version.weights_path, version.weights_sha256, version.input_size_px)
        except NoClassifier as error:
            _tell(version, str(error))
            raise
        _loaded[version.id] = Champion(version.id, classifier)
        _tell(version, "")
    return _loaded[version.id]


def _forget_others() -> None:
    with database.reading() as session:
        wanted = set(
            session.scalars(
                select(ClassifierVersion.id).where(
                    ClassifierVersion.state.in_([ClassifierState.CHAMPION, ClassifierState.SHADOW])
                )
            )
        )
    for version_id in set(_loaded) - wanted:
        del _loaded[version_id]


def _tell(version: ClassifierVersion, trouble: str) -> None:
    """Let the page of classifiers say that this one cannot be loaded, or can."""
    if version.trouble != trouble:
        with database.transaction() as session:
            session.execute(
                update(ClassifierVersion).where(ClassifierVersion.id == version.id).values(trouble=trouble)
            )


def warm() -> None:
    """Load the classifier before the first job, if there is one; a failure is told at the first job."""
    started = time.perf_counter()
    try:
        version_id = current().version_id
    except WorklistError as error:
        log.warning("no classifier loaded", reason=str(error))
    else:
        log.info("classifier warm", version=version_id, seconds=round(time.perf_counter() - started, 1))


def _load(weights_path: str, sha256: str, input_size_px: int) -> Network:
    try:
        return choice.load(Path(weights_path), sha256=sha256, input_size_px=input_size_px)
    except WorklistError as error:
        raise NoClassifier(f"Not scored: {error}") from error
    except Exception as error:
        # Whatever an engine makes of these weights, people must see it in the list, not in a log alone.
        log.exception("classifier not loaded")
        raise NoClassifier(f"Not scored: the classifier cannot be loaded ({type(error).__name__}).") from error
