"""The copy of an image that the viewer fetches: made by a worker ahead of time, or at the first look."""

import threading
from pathlib import Path

from worklist import archive, settings
from worklist.dicom.display_copy import (
    FORMAT_VERSION,
    NoDisplayCopy,
    pixels_path,
    read_description,
    write_display_copy,
)
from worklist.dicom.pixels import displayed_greys
from worklist.dicom.preview import preview_png

# Decoding takes a few times the image's size in memory, and the page asks for several images at once.
_one_at_a_time = threading.Lock()


def ensure_display_copy(instance_id: int, file_path: str) -> Path:
    """Return the name of an image's copy, without its endings; make the copy if it is not there.

    Parameters
    ----------
    instance_id
        Primary key; an instance never changes, so neither does its copy.
    file_path
        Where its file lies in the archive.

    Raises
    ------
    NotFound
        If the file is missing in the archive.
    CannotDecode
        If there is no image in it that can be shown.
    """
    name = settings.current().cache_folder / "display" / f"{instance_id}.v{FORMAT_VERSION}"
    if not _is_there(name):
        with _one_at_a_time:
            if not _is_there(name):
                write_display_copy(displayed_greys(archive.path_of(file_path)), name)
    return name


def preview(file_path: str) -> bytes:
    """Return a small picture of an image as a PNG file; it is kept nowhere.

    Raises
    ------
    NotFound
        If the file is missing in the archive.
    CannotDecode
        If there is no image in it that can be shown.
    """
    with _one_at_a_time:
        return preview_png(displayed_greys(archive.path_of(file_path)))


def _is_there(name: Path) -> bool:
    try:
        read_description(name)
    except NoDisplayCopy:
        return False
    return pixels_path(name).is_file()
