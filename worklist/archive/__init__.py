"""DICOM files on disk: spooled, synced, renamed into place, and found again by a relative path.

``spool/`` takes what is being received (``receiver/ownership.py``), ``YYYY/MM/DD/`` what is kept, and
``quarantine/`` what an administrator has to decide on. File names are random: a UID may hold ``../`` and never
becomes part of a path. The day folders bound the search for files whose rows were lost in a crash.

What is meant for all is named here; names with an underscore are shared by the two modules only.
"""

from worklist.archive.kept import (
    describe,
    files_since,
    has,
    path_of,
    quarantine,
    quarantined_files,
    release,
    remove,
)
from worklist.archive.spooled import (
    Kept,
    Spooled,
    check_space,
    disk_errors,
    spool_folder,
    sync_names,
)

__all__ = [
    "Kept",
    "Spooled",
    "check_space",
    "describe",
    "disk_errors",
    "files_since",
    "has",
    "path_of",
    "quarantine",
    "quarantined_files",
    "release",
    "remove",
    "spool_folder",
    "sync_names",
]
