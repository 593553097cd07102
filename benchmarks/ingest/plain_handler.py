"""What the documentation of pynetdicom shows, with a database and synced: ``plain_handler.py FOLDER PORT``."""

import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification

folder, port = Path(sys.argv[1]), int(sys.argv[2])
lock = threading.Lock()
index = sqlite3.connect(folder / "index.sqlite", check_same_thread=False)
index.execute("PRAGMA journal_mode=WAL")
index.execute("PRAGMA synchronous=FULL")
index.execute("CREATE TABLE instance (sop_instance_uid TEXT PRIMARY KEY, study_instance_uid TEXT, path TEXT)")


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def on_c_store(event: Any) -> int:
    dataset = event.dataset
    dataset.file_meta = event.file_meta
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    sync(path)
    sync(folder)
    with lock, index:
        row = (str(dataset.SOPInstanceUID), str(dataset.StudyInstanceUID), path.name)
        index.execute("INSERT INTO instance VALUES (?, ?, ?)", row)
    return 0x0000


entity = AE(ae_title="WORKLIST")
entity.maximum_associations = 100
for context in AllStoragePresentationContexts:
    entity.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
entity.add_supported_context(Verification)
entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, on_c_store)])
signal.sigwait({signal.SIGTERM})
os._exit(0)
