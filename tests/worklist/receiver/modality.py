"""A real receiver on a free loopback port, and peers that send to it: well, badly, or not at all."""

import os
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, build_context
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from sqlalchemy import func, select

from tests.conftest import forget
from tests.worklist.datasets import DIGITAL_X_RAY
from worklist import database, settings
from worklist.receiver import scp
from worklist.tables import AuditEvent, Instance, Study

QUICK = {**os.environ, "TCP_NODELAY": "1"}


class Site:
    """The receiver under test, seen from outside: its port, its rows, its files."""

    def __init__(self) -> None:
        self.receiver = scp.start(settings.current(), port=0)
        self.port = self.receiver.port

    def restart(self) -> None:
        """Stop and start, with the settings of now."""
        self.receiver.stop(1)
        forget()
        self.__init__()  # type: ignore[misc]

    def storescu(self, *paths: Path, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Send with DCMTK, as a modality would."""
        command = ["storescu", "-v", *options, "127.0.0.1", str(self.port), *map(str, paths)]
        return subprocess.run(command, capture_output=True, text=True, env=QUICK, timeout=60)

    def store(self, dataset: Dataset, **command: Any) -> Dataset:
        """Send one data set with pynetdicom and return its answer."""
        with self.association(dataset.SOPClassUID) as association:
            if command:
                return send_with_command(association, dataset, **command)
            answer: Dataset = association.send_c_store(dataset)
            return answer

    @contextmanager
    def association(self, *sop_class_uids: str, ae_title: str = "MODALITY") -> Iterator[Any]:
        """Open an association that is released at the end."""
        contexts = [build_context(uid, "1.2.840.10008.1.2.1") for uid in sop_class_uids or (DIGITAL_X_RAY,)]
        association = AE(ae_title=ae_title).associate("127.0.0.1", self.port, contexts=contexts)
        assert association.is_established
        try:
            yield association
        finally:
            association.release()

    def connection(self) -> closing[socket.socket]:
        """Open a bare TCP connection."""
        return closing(socket.create_connection(("127.0.0.1", self.port), timeout=10))

    def files(self) -> list[Path]:
        """Return every kept file."""
        return sorted(settings.current().archive_folder.glob("2*/*/*/*.dcm"))

    def spooled(self) -> list[Path]:
        """Return what lies in the spool."""
        return list((settings.current().archive_folder / "spool").rglob("*.part"))

    def instances(self) -> list[Instance]:
        """Return all instance rows."""
        with database.transaction() as session:
            return list(session.scalars(select(Instance).order_by(Instance.id)))

    def studies(self) -> list[Study]:
        """Return all study rows."""
        with database.transaction() as session:
            return list(session.scalars(select(Study).order_by(Study.id)))

    def events(self, action: str) -> list[AuditEvent]:
        """Return the audit events of one kind."""
        with database.transaction() as session:
            return list(session.scalars(select(AuditEvent).where(AuditEvent.action == action)))

    def count(self) -> int:
        """Return how many instances have rows."""
        with database.transaction() as session:
            return session.scalar(select(func.count(Instance.id))) or 0


def send_with_command(association: Any, dataset: Dataset, **command: Any) -> Dataset:
    """Send a data set whose command says something else than the data set."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID = command.get("sop_class_uid", dataset.SOPClassUID)
    request.AffectedSOPInstanceUID = command.get("sop_instance_uid", dataset.SOPInstanceUID)
    encoded = command.get("encoded", encode(dataset, False, True))
    request.DataSet = BytesIO(encoded)
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        time.sleep(0.001)
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    answer = Dataset()
    if response is not None:
        answer.Status, answer.ErrorComment = response.Status, response.ErrorComment or ""
    return answer


def association_request(length: int | None = None) -> bytes:
    """Return an A-ASSOCIATE-RQ for one context, with another length than its own if wanted."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "STUBBORN", "WORKLIST"
    context = build_context(DIGITAL_X_RAY, "1.2.840.10008.1.2.1")
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    largest, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    largest.maximum_length_received = 16384
    implementation.implementation_class_uid = "1.2.3"
    primitive.user_information = [largest, implementation]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    encoded: bytes = pdu.encode()
    return encoded if length is None else encoded[:2] + struct.pack(">I", length) + encoded[6:]


def data_pdu(control: int, fragment: bytes) -> bytes:
    """Return a P-DATA-TF PDU with one fragment of context 1."""
    item = struct.pack(">IBB", len(fragment) + 2, 1, control) + fragment
    return struct.pack(">BBI", 4, 0, len(item)) + item


def store_command(sop_instance_uid: str = "1.2.3.4") -> bytes:
    """Return the encoded command set of a C-STORE request."""
    command = Dataset()
    command.AffectedSOPClassUID = DIGITAL_X_RAY
    command.CommandField, command.MessageID, command.Priority, command.CommandDataSetType = 1, 1, 2, 1
    command.AffectedSOPInstanceUID = sop_instance_uid
    encoded: bytes = encode(command, True, True)
    return b"\0\0\0\0\x04\0\0\0" + struct.pack("<I", len(encoded)) + encoded


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Wait until a condition holds, and say whether it does."""
    for _ in range(int(seconds * 50)):
        if condition():
            return True
        time.sleep(0.02)
    return condition()
