"""From a received file to committed rows: the one path that every sender's images take."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

from sqlalchemy.orm import Session

from worklist import archive, clock, database, logs
from worklist.archive import Kept, Spooled
from worklist.dicom.header import InstanceHeader, read_header
from worklist.intake import quarantine, sources
from worklist.intake.identity import SetAside
from worklist.intake.register import Registered, register
from worklist.intake.sources import Sending
from worklist.receiver.group_commit import GroupCommit
from worklist.tables import Source
from worklist.triage.policy import first_place

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
    SetAside
        If it contradicts what is known; the file is kept as safely, but apart.
    """
    kept = spooled.keep(clock.now())
    file = _File(kept, header, sender)
    try:
        registered = _commit(file)
    except SetAside as why:
        _hold(file, why)
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


def _hold(file: _File, why: SetAside) -> None:
    """Move the file into the quarantine, then make its row; a crash in between is mended at the next start."""
    aside = replace(file, kept=archive.quarantine(file.kept))
    with database.transaction() as session:
        source = sources.known(session, file.sender.calling, file.sender.address)
        header = _header_by(source, aside)
        quarantined_id = quarantine.hold(session, aside.kept, header, why=why, source=source)
    log.warning("file set aside", quarantined=quarantined_id, kind=why.kind.value, calling=file.sender.calling)


def _header_by(source: Sending | Source, file: _File) -> InstanceHeader:
    """Return the header; texts without a character set by the one that this source is known to use."""
    if not (file.header.lacks_character_set and source.character_set):
        return file.header
    return read_header(archive.path_of(file.kept.file_path), source.character_set)


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
            registered = _register_group(session, files)
            is_registered = True
    except Exception as error:
        if is_registered:
            raise _Unsure(error) from error
        raise
    return registered


def _register_group(session: Session, files: Sequence[_File]) -> list[Registered]:
    """Register files by source and study, whatever their order.

    Two receivers that lock the same studies in different orders would each hold what the other one waits for.
    """
    senders = sorted({file.sender for file in files}, key=astuple)
    known = {sender: sources.sending(session, sender.calling, sender.address) for sender in senders}
    registered: dict[int, Registered] = {}
    for number, file in sorted(enumerate(files), key=lambda item: item[1].header.study_instance_uid):
        source = known[file.sender]
        header = _header_by(source, file)
        registered[number] = register(session, header, file.kept, source=source, first_place=first_place)
    return [registered[number] for number in range(len(files))]


_commit: GroupCommit[_File, Registered] = GroupCommit(_commit_group)
