"""Files whose rows were lost in a crash: adopted at the start.

A crash between rename and commit leaves a file without rows. It was never acknowledged, so the modality sends
it again if it can; if it cannot, this is the only copy.
"""

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache

from sqlalchemy import func, select

from worklist import archive, clock, database, logs
from worklist.archive import Kept
from worklist.dicom.header import InstanceHeader, read_header
from worklist.errors import Conflict, Invalid, NotFound
from worklist.intake import quarantine
from worklist.intake.register import register
from worklist.receiver import ownership
from worklist.receiver.ownership import Dead
from worklist.tables import Instance, Quarantined
from worklist.triage.policy import first_place

log = logs.logger(__name__)

MIDNIGHT = time()


def recover() -> None:
    """Clear away what receivers that are no more were receiving, and register what they had kept."""
    with ownership.dead_receivers() as dead:
        adopt_orphans(dead)
        adopt_set_aside()


def adopt_orphans(dead: Dead) -> int:
    """Register kept files that have neither rows nor a living receiver; return how many.

    Looks back to the day before the newest row, or before the first of the dead receivers started.

    Notes
    -----
    A receiver may die while the database still works on its commit. Registering the same file a second time
    waits for that and changes nothing, so no order of the two does harm.
    """
    with database.reading() as session:
        newest: datetime | None = session.scalar(select(func.max(Instance.received_at)))
    times = [moment for moment in (newest, dead.first_started_at) if moment] or [clock.now()]
    first_day = datetime.combine(min(times) - timedelta(days=1), MIDNIGHT, UTC)
    # Whoever was dead when asked first stays dead; whoever lived then may have more files to commit.
    has_living_owner = lru_cache(lambda owner: owner not in dead.names and ownership.is_alive(owner))
    left = [
        path for path in archive.files_since(first_day.date()) if not has_living_owner(ownership.owner_of(path))
    ]
    with database.reading() as session:
        since = select(Instance.file_path).where(Instance.received_at >= first_day)
        known = set(session.scalars(since))
    orphans = [path for path in left if path not in known]
    for path in orphans:
        _adopt(archive.describe(path))
    return len(orphans)


def adopt_set_aside() -> int:
    """Give the files of the quarantine that have none their rows, as if they came now; return how many.

    Notes
    -----
    These files are named after their content, not after an owner: a living receiver may be about to make the
    row of one, or a web server to remove one that was filed. Both lose nothing by it. The row is made once,
    whoever comes first, and keeps the source (`quarantine.hold`); a file that is in its study already is found
    there.
    """
    # Files first: a file that comes later is its receiver's business, and one that goes later has its rows.
    files = archive.quarantined_files()
    with database.reading() as session:
        known = set(session.scalars(select(Quarantined.file_path)))
    orphans = [path for path in files if path not in known]
    for path in orphans:
        try:
            released = archive.release(path, clock.now(), ownership.own_name())
        except NotFound:  # removed a moment ago, by the web server that filed it
            continue
        _adopt(released)
        if not _is_held(path):
            archive.remove(path)
    return len(orphans)


def _is_held(path: str) -> bool:
    with database.reading() as session:
        return bool(session.scalar(select(func.count()).where(Quarantined.file_path == path)))


def _adopt(kept: Kept) -> None:
    header: InstanceHeader | None = None
    try:
        header = read_header(archive.path_of(kept.file_path))
        with database.transaction() as session:
            registered = register(session, header, kept, source=None, first_place=first_place)
        log.warning("file without rows adopted", file=kept.file_path, instance=registered.instance_id)
    except (Conflict, Invalid) as error:
        aside = archive.quarantine(kept)
        with database.transaction() as session:
            quarantined_id = quarantine.hold(session, aside, header, why=error, source=None)
        log.warning("file without rows set aside", quarantined=quarantined_id, reason=str(error))
