"""The data set of a C-STORE on its way to disk, in the pieces in which it comes."""

from worklist import archive, settings
from worklist.archive import Spooled
from worklist.dicom import file_meta
from worklist.errors import Invalid, WorklistError
from worklist.receiver import ownership
from worklist.receiver.command import StoreCommand
from worklist.receiver.statuses import TooLarge

SPACE_CHECK_BYTES = 16 * 1024**2


class Overflow(Exception):
    """The peer goes on sending beyond every limit; the association is aborted."""


class Incoming:
    """Fragments of one data set, written to a file in the archive's spool as they come.

    Trouble with the disk is kept until the last fragment has arrived, so that it can be answered with a status:
    the modality learns the reason, and the rest of the association is not lost.

    Attributes
    ----------
    received_bytes : int
        Length of the data set so far.
    """

    def __init__(self, command: StoreCommand, context_id: int, transfer_syntax_uid: str) -> None:
        self.command = command
        self.context_id = context_id
        self.received_bytes = 0
        self._transfer_syntax_uid = transfer_syntax_uid
        self._spooled: Spooled | None = None
        self._failure: WorklistError | None = None
        self._limit = settings.current().maximum_object_bytes

    def write(self, fragment: memoryview | bytes) -> None:
        """Take one fragment.

        Raises
        ------
        Overflow
            If the peer sends twice what an object may have.
        """
        before, self.received_bytes = self.received_bytes, self.received_bytes + len(fragment)
        if self.received_bytes > 2 * self._limit:
            raise Overflow(f"A data set of more than {2 * self._limit} bytes.")
        if self._failure is None:
            try:
                self._append(fragment, before)
            except WorklistError as error:
                self.discard()
                self._failure = error

    def finish(self) -> Spooled:
        """Return the file behind the last fragment, all of it written.

        Raises
        ------
        Unavailable
            If the disk was full or failed.
        Invalid
            If there was no data set, or a larger one than this site accepts.
        """
        if self._failure is not None:
            raise self._failure
        if self._spooled is None:
            raise Invalid("The command came without a data set.")
        self._spooled.flush()
        return self._spooled

    def discard(self) -> None:
        """Close the file and delete it, unless it has been kept."""
        if self._spooled is not None:
            self._spooled.discard()

    def _append(self, fragment: memoryview | bytes, before: int) -> None:
        if self.received_bytes > self._limit:
            raise TooLarge(
                f"The object is larger than the {self._limit} bytes of WORKLIST_MAXIMUM_OBJECT_BYTES."
            )
        if self._spooled is None or self.received_bytes // SPACE_CHECK_BYTES > before // SPACE_CHECK_BYTES:
            archive.check_space()
        if self._spooled is None:
            self._spooled = Spooled(ownership.own_name())
            command = self.command
            meta = file_meta.encode(command.sop_class_uid, command.sop_instance_uid, self._transfer_syntax_uid)
            self._spooled.write(meta)
        self._spooled.write(fragment)
