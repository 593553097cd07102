"""Send the DICOM files of a folder by C-STORE, byte for byte as they are."""

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pynetdicom import AE, _config
from pynetdicom.presentation import build_context
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from worklist.dicom.elements import file_meta
from worklist.errors import Invalid, Unavailable
from worklist.sender.call import pause_reactor

LARGEST_PROPOSAL = 128
"""Presentation contexts of one association: their ids are odd numbers of one byte (PS3.8 9.3.2.2)."""

CONNECTION_SECONDS = 10

Progress = Callable[[int, int], None]
"""(files done, files in all)."""


@dataclass(frozen=True)
class Outgoing:
    """A file that can be sent."""

    path: Path
    sop_class_uid: str
    transfer_syntax_uid: str

    @property
    def kind(self) -> tuple[str, str]:
        """What the receiver must accept."""
        return self.sop_class_uid, self.transfer_syntax_uid


@dataclass
class SendReport:
    """What became of the files."""

    sent: int = 0
    skipped: int = 0
    failed: list[tuple[Path, str]] = field(default_factory=list)

    def text(self) -> str:
        """Return it in words, a line for each failure."""
        parts = [f"{self.sent} sent"]
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        if self.skipped:
            parts.append(f"{self.skipped} skipped that are no DICOM files")
        lines = [f"{', '.join(parts)}."]
        return "\n".join([*lines, *(f"{path}: {reason}" for path, reason in self.failed)])


def send_folder(
    folder: Path,
    *,
    host: str,
    port: int,
    called_ae_title: str = "WORKLIST",
    calling_ae_title: str = "WORKLIST-SEND",
    on_progress: Progress = lambda done, total: None,
) -> SendReport:
    """Send all DICOM files in and below a folder, or one file.

    Raises
    ------
    Unavailable
        If nobody answers, or the association is refused.
    """
    report = SendReport()
    files = list(_outgoing(folder, report))
    _config.STORE_SEND_CHUNKED_DATASET = True
    entity = AE(ae_title=calling_ae_title)
    entity.dimse_timeout = entity.network_timeout = 120
    for batch in _batches(files):
        association = _associate(entity, batch, host, port, called_ae_title)
        for outgoing in batch:
            _send(association, outgoing, report)
            on_progress(report.sent + len(report.failed), len(files))
        if association.is_established:
            association.release()
        _close(association)
    return report


def _outgoing(folder: Path, report: SendReport) -> Iterator[Outgoing]:
    paths = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    for path in paths:
        try:
            sop_class_uid, sop_instance_uid, transfer_syntax_uid = file_meta(path)
        except (Invalid, OSError):
            report.skipped += 1
            continue
        # A DICOMDIR is a directory of files, not an instance.
        if path.name.upper() == "DICOMDIR" or not (sop_class_uid and sop_instance_uid and transfer_syntax_uid):
            report.skipped += 1
        else:
            yield Outgoing(path, sop_class_uid, transfer_syntax_uid)


def _batches(files: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """Group files so that the kinds in each group fit into one association."""
    batch: list[Outgoing] = []
    kinds: set[tuple[str, str]] = set()
    for outgoing in files:
        if outgoing.kind not in kinds and len(kinds) == LARGEST_PROPOSAL:
            yield batch
            batch, kinds = [], set()
        batch.append(outgoing)
        kinds.add(outgoing.kind)
    if batch:
        yield batch


def _knock(host: str, port: int) -> None:
    """Find out whether anybody listens: pynetdicom only logs why it could not connect, and leaks the socket."""
    try:
        socket.create_connection((host, port), timeout=CONNECTION_SECONDS).close()
    except OSError as error:
        raise Unavailable(f"Nothing answers at {host}:{port}: is the receiver running there?") from error


def _associate(entity: AE, batch: Sequence[Outgoing], host: str, port: int, called: str) -> Any:
    _knock(host, port)
    kinds = sorted({outgoing.kind for outgoing in batch})
    contexts = [build_context(sop_class_uid, syntax) for sop_class_uid, syntax in kinds]
    association = entity.associate(host, port, contexts=contexts, ae_title=called)
    if association.is_established:
        return association
    _close(association)
    if association.is_rejected:
        answer = association.acceptor.primitive
        raise Unavailable(f"{called} at {host}:{port} refuses the association: {answer.reason_str}.")
    raise Unavailable(f"What answers at {host}:{port} is no DICOM receiver.")


def _close(association: Any) -> None:
    """Close the socket, which pynetdicom leaves open if the peer was faster."""
    connection = association.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.close()


def _send(association: Any, outgoing: Outgoing, report: SendReport) -> None:
    reason = _reason(association, outgoing)
    if reason:
        report.failed.append((outgoing.path, reason))
    else:
        report.sent += 1


def _reason(association: Any, outgoing: Outgoing) -> str:
    """Send one file and return why it was not accepted, or nothing if it was."""
    if not association.is_established:
        return "The association has ended before it."
    pause_reactor(association)
    try:
        answer = association.send_c_store(outgoing.path)
    except (ValueError, AttributeError, OSError, RuntimeError) as error:
        return f"It could not be sent: {error}."
    if "Status" not in answer:
        return "The receiver gave no answer."
    if answer.Status == 0x0000 or answer.Status >> 12 == 0xB:
        return ""
    _, meaning = STORAGE_SERVICE_CLASS_STATUS.get(answer.Status, ("", "unknown status"))
    return f"Status 0x{answer.Status:04X}: {answer.get('ErrorComment') or meaning}"
