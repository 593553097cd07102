"""What was turned away: told to the sender, to the log, and to the audit stream that the administrator reads.

The kinds are words that ``/admin/sources`` explains; patient data is in none of them.
"""

import threading
from contextlib import suppress
from dataclasses import asdict, astuple

from worklist import audit, clock, database, logs
from worklist.errors import Unavailable, WorklistError
from worklist.intake.rejections import Why
from worklist.receiver.command import StoreCommand
from worklist.receiver.keeping import Sender
from worklist.receiver.statuses import Status, status_of

log = logs.logger(__name__)

WHO = "receiver"
INTERNAL = "A fault in the receiver; its log has the details."
REPEATED_SECONDS = 600
"""Seconds in which the same refusal is noted once: some modalities try every second, for ever."""

MOST_REMEMBERED = 1000


def refuse(sender: Sender, command: StoreCommand, error: Exception) -> tuple[int, str]:
    """Log and audit a refused instance, and return its status with the reason for the sender's log."""
    status = status_of(error)
    reason = str(error) if isinstance(error, WorklistError) else INTERNAL
    facts = {
        "status": f"0x{status:04X}",
        "reason": reason,
        "calling": sender.calling,
        "address": sender.address,
        "sop_instance_uid": command.sop_instance_uid[:64],
    }
    if status is Status.PROCESSING_FAILURE:
        log.error("instance refused", **facts, exc_info=error)
    else:
        log.warning("instance refused", **facts)
    # A full disk refuses every image of a modality that never stops trying: one note is enough for them all.
    which = "" if status is Status.OUT_OF_RESOURCES else command.sop_instance_uid
    if not memory.is_repeated(("instance", str(status), which, *astuple(sender))):
        _audit("instance.refused", ("instance", None), facts)
    return status, reason


def note_rejected(sender: Sender, why: Why, reason: str) -> None:
    """Log and audit a rejected association."""
    facts = {"why": why.value, "reason": reason, **asdict(sender)}
    log.warning("association refused", **facts)
    if not memory.is_repeated(("association", why, *astuple(sender))):
        _audit("association.refused", ("source", None), facts)


def note_contexts(sender: Sender, abstract_syntaxes: dict[str, str]) -> None:
    """Log and audit presentation contexts that no receiver offers, as UID → name."""
    for uid, name in abstract_syntaxes.items():
        facts = {"abstract_syntax": uid, "name": name, **asdict(sender)}
        log.warning("presentation context refused", **facts)
        if not memory.is_repeated(("context", uid, *astuple(sender))):
            _audit("context.refused", ("source", None), facts)


class _Memory:
    """What was noted lately, by this process."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()

    def is_repeated(self, facts: tuple[str, ...]) -> bool:
        """Say if the same was noted within `REPEATED_SECONDS`, and remember it otherwise."""
        now = clock.now().timestamp()
        with self._lock:
            if now - self._noted.get(facts, 0) < REPEATED_SECONDS:
                return True
            if len(self._noted) >= MOST_REMEMBERED:
                self._noted.clear()
            self._noted[facts] = now
        return False

    def forget(self) -> None:
        """Note everything anew."""
        self._noted.clear()


memory = _Memory()


def _audit(action: str, about: tuple[str, int | None], facts: dict[str, str]) -> None:
    # Without a database there is no audit stream either; the log has it.
    with suppress(Unavailable), database.transaction() as session:
        audit.record(session, WHO, action, about=about, **facts)
