"""The classifier in charge, loaded and warm in this process."""

import time
from dataclasses import dataclass
from pathlib import Path

from workers.engines import choice
from workers.pipeline import Network
from worklist import database, logs, settings
from worklist.classifiers import versions
from worklist.classifiers.versions import NoClassifier
from worklist.errors import WorklistError

log = logs.logger(__name__)


@dataclass(frozen=True)
class Champion:
    """A classifier version and its network."""

    version_id: int
    classifier: Network


_loaded: Champion | None = None


def current() -> Champion:
    """Return the classifier in charge, loading it if it has changed.

    Raises
    ------
    NoClassifier
        If nothing may be scored, or the weights cannot be loaded; the message says why.
    """
    global _loaded
    with database.reading() as session:
        version = versions.champion(session, allow_demo=settings.current().demo)
    if _loaded is None or _loaded.version_id != version.id:
        _loaded = Champion(
            version.id, _load(version.weights_path, version.weights_sha256, version.input_size_px)
        )
    return _loaded


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
