"""C-MOVE and C-GET at study root: the kept files, as they are, to a destination or on the same association.

pynetdicom's own service wants decoded data sets and encodes them again, in memory; so it is not asked.

References
----------
PS3.4 C.4.2 (C-MOVE), C.4.3 (C-GET); PS3.7 9.1.3 and 9.1.4.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import build_context
from pynetdicom.dimse_primitives import C_GET, C_MOVE, C_STORE
from pynetdicom.dsutils import decode, encode

from worklist import archive, audit, database, logs
from worklist.errors import Invalid, WorklistError
from worklist.holdings import search
from worklist.holdings.search import HeldFile
from worklist.intake import sources
from worklist.intake.sources import Destination
from worklist.receiver import waiting
from worklist.receiver.parties import sender_of
from worklist.receiver.query import refusal
from worklist.receiver.statuses import Status
from worklist.sender import call, store

log = logs.logger(__name__)

STORE_SECONDS = 60.0
LARGEST_PROPOSAL = 128  # PS3.8 9.3.2.2: ids are odd numbers of one byte
LARGEST_MESSAGE_ID = 65535


def attach(event: Any) -> None:
    """Serve C-MOVE and C-GET of this association ourselves; everything else goes its usual way."""
    association = event.assoc
    serve = association._serve_request

    def serve_request(message: Any, context_id: int) -> None:
        is_ours = isinstance(message, (C_MOVE, C_GET)) and message.is_valid_request
        if is_ours and context_id in association._accepted_cx:
            Retrieval(association, message, context_id).run()
        else:
            serve(message, context_id)

    association._serve_request = serve_request


@dataclass
class Tally:
    """How far a retrieval is, in sub-operations."""

    remaining: int
    completed: int = 0
    warned: int = 0
    failed_uids: list[str] = field(default_factory=list)

    def note(self, sop_instance_uid: str, status: int | None) -> None:
        """Count the answer to one C-STORE; None: there was none."""
        self.remaining -= 1
        if status == Status.SUCCESS:
            self.completed += 1
        elif status is not None and status >> 12 == 0xB:
            self.warned += 1
        else:
            self.failed_uids.append(sop_instance_uid)

    @property
    def status(self) -> Status:
        """The final status (PS3.4 C.4.2.1.5)."""
        if not self.failed_uids and not self.warned:
            return Status.SUCCESS
        if self.completed or self.warned:
            return Status.SOME_FAILED
        return Status.SUB_OPERATIONS_IMPOSSIBLE


class Retrieval:
    """One C-MOVE or C-GET, served in its association's own thread."""

    def __init__(self, association: Any, request: Any, context_id: int) -> None:
        self._association = association
        self._request = request
        self._context = association._accepted_cx[context_id]
        self._tally = Tally(0)

    def run(self) -> None:
        """Send everything, and answer: pending after each image, then once finally."""
        self._association.dimse.cancel_req = {}
        try:
            files, destination = self._prepare()
            self._tally.remaining = len(files)
            status = self._send(files, destination)
        except Exception as error:  # the edge: every error becomes a status
            answer = refusal(self._association, error)
            self._respond(answer.Status, answer.ErrorComment)
            return
        # Long transfers are no silence of the peer's.
        self._association.dul._idle_timer.restart()
        self._note(destination)
        if not waiting.is_leaving(self._association):
            self._respond(status)

    def _prepare(self) -> tuple[list[HeldFile], Destination | None]:
        identifier = self._identifier()
        sender = sender_of(self._association)
        with database.transaction() as session:
            sources.known(session, sender.calling, sender.address)
        with database.reading() as session:
            files = search.files(session, identifier)
            if isinstance(self._request, C_GET):
                return files, None
            title = str(self._request.MoveDestination or "").strip()
            return files, sources.destination_called(session, title, our_ae_title=sender.called)

    def _identifier(self) -> Dataset:
        syntax = self._context.transfer_syntax[0]
        try:
            identifier: Dataset = decode(
                self._request.Identifier, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated
            )
            identifier.decode()
        except Exception as error:  # whatever the decoder stumbles over
            raise Invalid("The identifier cannot be decoded.") from error
        return identifier

    def _send(self, files: list[HeldFile], destination: Destination | None) -> Status:
        if destination is None:
            return self._send_each(files, self._store_here)
        for batch in _batches(files):
            try:
                status = self._send_batch(batch, destination)
            except (call.Unreachable, Invalid) as error:  # Invalid: our own certificates
                log.warning("images not sent", reason=str(error))
                for held in batch:
                    self._tally.note(held.sop_instance_uid, None)
                continue
            if status is Status.CANCELLED:
                return status
        return self._tally.status

    def _send_batch(self, batch: list[HeldFile], destination: Destination) -> Status:
        kinds = sorted({(held.sop_class_uid, held.transfer_syntax_uid) for held in batch})
        contexts = [build_context(sop_class_uid, syntax) for sop_class_uid, syntax in kinds]
        with call.association(destination, contexts) as opened:
            originator = (sender_of(self._association).calling, self._request.MessageID)
            return self._send_each(
                batch, lambda held, number: call.store(opened, _path(held), number, originator)
            )

    def _send_each(self, files: list[HeldFile], store_one: Callable[[HeldFile, int], int | None]) -> Status:
        for held in files:
            if self._request.MessageID in self._association.dimse.cancel_req:
                return Status.CANCELLED
            if waiting.is_leaving(self._association):
                return Status.CANCELLED
            number = (self._request.MessageID + self._tally.remaining) % LARGEST_MESSAGE_ID + 1
            self._tally.note(held.sop_instance_uid, _tried(store_one, held, number))
            if self._tally.remaining:
                self._respond(Status.PENDING)
        return self._tally.status

    def _store_here(self, held: HeldFile, number: int) -> int | None:
        store.send_request(self._association, _path(held), message_id=number)
        answer = waiting.response(self._association, C_STORE, number, STORE_SECONDS)
        return None if answer is None else int(answer.Status)

    def _note(self, destination: Destination | None) -> None:
        calling = sender_of(self._association).calling
        facts = {
            "to": destination.ae_title if destination else calling,
            "sent": self._tally.completed + self._tally.warned,
            "failed": len(self._tally.failed_uids),
        }
        log.info("images retrieved", calling=calling, **facts)
        with database.transaction() as session:
            audit.record(session, calling, "images.retrieved", about=("source", None), **facts)

    def _respond(self, status: int, comment: str = "") -> None:
        response = type(self._request)()
        response.MessageIDBeingRespondedTo = self._request.MessageID
        response.AffectedSOPClassUID = self._request.AffectedSOPClassUID
        response.Status = int(status)
        if comment:
            response.ErrorComment = comment
        if status in {Status.PENDING, Status.CANCELLED}:
            response.NumberOfRemainingSuboperations = self._tally.remaining
        response.NumberOfCompletedSuboperations = self._tally.completed
        response.NumberOfFailedSuboperations = len(self._tally.failed_uids)
        response.NumberOfWarningSuboperations = self._tally.warned
        if self._tally.failed_uids and status != Status.PENDING:
            response.Identifier = BytesIO(self._failed())
        self._association.dimse.send_msg(response, self._context.context_id)

    def _failed(self) -> bytes:
        """Return the encoded list of what was not sent (PS3.4 C.4.2.1.4.2)."""
        failed = Dataset()
        failed.FailedSOPInstanceUIDList = self._tally.failed_uids
        syntax = self._context.transfer_syntax[0]
        return encode(failed, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated) or b""


def _tried(store_one: Callable[[HeldFile, int], int | None], held: HeldFile, number: int) -> int | None:
    """Return the status of one C-STORE; what keeps one image from being sent does not stop the others."""
    try:
        return store_one(held, number)
    except (store.NotAccepted, WorklistError, OSError) as error:
        reason = str(error) or "not accepted in its transfer syntax"
        log.warning("image not sent", sop_instance_uid=held.sop_instance_uid, reason=reason)
        return None


def _path(held: HeldFile) -> Any:
    return archive.path_of(held.file_path)


def _batches(files: list[HeldFile]) -> Iterator[list[HeldFile]]:
    """Group files so that the kinds in each group fit into one association."""
    kinds = sorted({(held.sop_class_uid, held.transfer_syntax_uid) for held in files})
    for start in range(0, len(kinds), LARGEST_PROPOSAL):
        some = set(kinds[start : start + LARGEST_PROPOSAL])
        yield [held for held in files if (held.sop_class_uid, held.transfer_syntax_uid) in some]
