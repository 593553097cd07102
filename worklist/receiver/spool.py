"""The data set of a C-STORE on its way to disk.

pynetdicom has a mode of its own that writes the data set to a file. It leaves file and descriptor behind when
the association is aborted, answers a full disk with an abort instead of a status, and writes into the
temporary folder (all measured with 3.0.4). Since a message collects its data set in whatever has ``write``,
it is handed a `SpooledDataSet` instead: a ``BytesIO`` by type, a file in the archive's spool by nature.
"""

from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from pynetdicom.dimse_messages import C_STORE_RQ

from worklist import archive, settings
from worklist.dicom import file_meta
from worklist.errors import Invalid, WorklistError
from worklist.receiver.statuses import TooLarge

SPACE_CHECK_BYTES = 16 * 1024**2
LARGEST_IDENTIFIER = 1024**2


class Overflow(Exception):
    """The peer goes on sending beyond every limit; the association is aborted."""


class SpooledDataSet(BytesIO):
    """Fragments of a data set, written to a file as they come.

    Trouble with the disk is kept until the last fragment has arrived, so that it can be answered with a status:
    the modality learns the reason, and the rest of the association is not lost.

    Attributes
    ----------
    path : Path or None
        The file; None before the first fragment.
    received_bytes : int
        Length of the data set so far.

    Parameters
    ----------
    begun
        Where this association lists the files that it has to clear away; a data set adds and removes itself.
    """

    def __init__(self, message: Any, association: Any, begun: "set[SpooledDataSet]") -> None:
        super().__init__()
        self.path: Path | None = None
        self.received_bytes = 0
        self._message = message
        self._association = association
        self._begun = begun
        self._file: IO[bytes] | None = None
        self._failure: WorklistError | None = None

    def write(self, fragment: Any) -> int:
        """Take one fragment."""
        before, self.received_bytes = self.received_bytes, self.received_bytes + len(fragment)
        if not isinstance(self._message, C_STORE_RQ):
            self._refuse_beyond(LARGEST_IDENTIFIER)
            return super().write(fragment)
        self._refuse_beyond(2 * settings.current().maximum_object_bytes)
        if self._failure is None:
            try:
                self._append(fragment, before)
            except WorklistError as error:
                self.discard()
                self._failure = error
        return len(fragment)

    def finish(self) -> Path:
        """Close the file behind the last fragment and return its path.

        Raises
        ------
        Unavailable
            If the disk was full or failed.
        Invalid
            If there was no data set, or a larger one than this site accepts.
        """
        if self._failure is not None:
            raise self._failure
        if self._file is None or self.path is None:
            raise Invalid("The command came without a data set.")
        with archive.disk_errors():
            self._file.close()
        return self.path

    def discard(self) -> None:
        """Close the file and delete it, unless it has been moved away."""
        if self._file is not None:
            # Closing writes what is still buffered, and on a full disk that fails again.
            with suppress(OSError):
                self._file.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        self._begun.discard(self)

    def _append(self, fragment: bytes, before: int) -> None:
        limit = settings.current().maximum_object_bytes
        if self.received_bytes > limit:
            raise TooLarge(f"The object is larger than the {limit} bytes of WORKLIST_MAXIMUM_OBJECT_BYTES.")
        if self._file is None or self.received_bytes // SPACE_CHECK_BYTES > before // SPACE_CHECK_BYTES:
            archive.check_space()
        with archive.disk_errors():
            if self._file is None:
                self._file = self._open()
            self._file.write(fragment)

    def _open(self) -> IO[bytes]:
        """Begin the file with its file meta information; by now the command set is known."""
        command = self._message.command_set
        context = self._association._accepted_cx[self._message.context_id]
        self.path = archive.new_spool_path()
        self._begun.add(self)
        file = self.path.open("xb")
        file.write(
            file_meta.encode(
                str(command.get("AffectedSOPClassUID", "")),
                str(command.get("AffectedSOPInstanceUID", "")),
                str(context.transfer_syntax[0]),
            )
        )
        return file

    def _refuse_beyond(self, limit: int) -> None:
        if self.received_bytes > limit:
            raise Overflow(f"A message of more than {limit} bytes.")
