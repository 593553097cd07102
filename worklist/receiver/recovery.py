"""Files whose rows were lost in a crash: adopted at the start.

A crash between rename and commit leaves a file without rows. It was never acknowledged, so the modality sends
it again if it can; if it cannot, this is the only copy.
"""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from worklist import archive, clock, database, logs
from worklist.archive import Kept
from worklist.dicom.header import InstanceHeader, read_header
from worklist.errors import Conflict, Invalid
from worklist.intake import quarantine
from worklist.intake.register import register
from worklist.tables import Instance, Quarantined
from worklist.triage.policy import first_rank_key

log = logs.logger(__name__)


def adopt_orphans() -> int:
    """Register kept files without rows, as far back as the day before the newest row; return how many."""
    with database.reading() as session:
        newest: datetime | None = session.scalar(select(func.max(Instance.received_at)))
        first_day = ((newest or clock.now()) - timedelta(days=1)).date()
        since = Instance.file_path >= f"{first_day:%Y/%m/%d}"
        known = set(session.scalars(select(Instance.file_path).where(since)))
    orphans = [path for path in archive.files_since(first_day) if path not in known]
    for path in orphans:
        _adopt(archive.describe(path))
    return len(orphans)


def adopt_set_aside() -> int:
    """Give the files of the quarantine that have none their rows, as if they came now; return how many."""
    with database.reading() as session:
        known = set(session.scalars(select(Quarantined.file_path)))
    orphans = [path for path in archive.quarantined_files() if path not in known]
    for path in orphans:
        _adopt(archive.release(path, clock.now()))
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
            registered = register(session, header, kept, source=None, first_rank_key=first_rank_key)
        log.warning("file without rows adopted", file=kept.file_path, instance=registered.instance_id)
    except (Conflict, Invalid) as error:
        aside = archive.quarantine(kept)
        with database.transaction() as session:
            quarantined_id = quarantine.hold(session, aside, header, why=error, source=None)
        log.warning("file without rows set aside", quarantined=quarantined_id, reason=str(error))
