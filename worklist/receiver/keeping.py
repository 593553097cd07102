"""From a received file to committed rows: the one path that every sender's images take."""

from collections.abc import Sequence
from dataclasses import dataclass

from worklist import archive, clock, database, logs
from worklist.archive import Kept, Spooled
from worklist.dicom.header import InstanceHeader
from worklist.intake import sources
from worklist.intake.register import Registered, WrongStudy, register
from worklist.receiver.group_commit import GroupCommit
from worklist.triage.policy import first_rank_key

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: calling and called AE title, and the canonical network address."""

    calling: str
    called: str
    address: str


@dataclass(frozen=True, slots=True)
class _File:
    kept: Kept
    header: InstanceHeader
    sender: Sender


def keep(spooled: Spooled, header: InstanceHeader, sender: Sender) -> Registered:
    """Keep a received file and return its rows, once both survive a power cut.

    Raises
    ------
    Unavailable
        If the disk or the database fails; nothing is kept then, or it is found again at the next start.
    UnknownSource
        If the sender may not send any more.
    WrongStudy
        If the instance is known in another study; the file is set aside.
    """
    archive.check_space()
    kept = spooled.keep(clock.now())
    try:
        registered = _commit(_File(kept, header, sender))
    except WrongStudy:
        log.warning("file set aside", file=archive.quarantine(kept))
        raise
    except _Unsure as error:
        raise error.cause from error
    except Exception:
        archive.remove(kept.file_path)
        raise
    log.info(
        "instance received",
        study=registered.study_id,
        instance=registered.instance_id,
        outcome=registered.outcome.value,
        calling=sender.calling,
        bytes=kept.file_bytes,
    )
    return registered


class _Unsure(Exception):
    """The commit itself failed: nobody knows whether it happened, so the file stays and is found again."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


def _commit_group(files: Sequence[_File]) -> list[Registered]:
    archive.sync_names(file.kept for file in files)
    is_registered = False
    try:
        with database.transaction() as session:
            registered = []
            for file in files:
                source = sources.known(session, file.sender.calling, file.sender.address)
                registered.append(
                    register(session, file.header, file.kept, source=source, first_rank_key=first_rank_key)
                )
            is_registered = True
    except Exception as error:
        if is_registered:
            raise _Unsure(error) from error
        raise
    return registered


_commit: GroupCommit[_File, Registered] = GroupCommit(_commit_group)
