"""Which layout a folder of labelled radiographs has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from worklist.dataset import dicom_folder, mura
from worklist.dataset.dicom_folder import LABELS_NAME, Judge
from worklist.dataset.faults import Tell
from worklist.dataset.record import LabelledImage
from worklist.errors import Invalid


@dataclass(frozen=True)
class LabelledFolder:
    """A folder that can be read, and how.

    Parameters
    ----------
    folder
        Names of images are paths below it.
    layout
        In words.
    images
        Yields the images anew at each call; faults go to what it is given.
    """

    folder: Path
    layout: str
    images: Callable[[Tell], Iterator[LabelledImage]]


def labelled_folder(folder: Path, judge: Judge, *, table: Path | None = None) -> LabelledFolder:
    """Find out how a folder is to be read.

    Parameters
    ----------
    judge
        ``worklist.intake.scope.judge``, for DICOM files.
    table
        The table of labels for DICOM files; by default ``labels.csv`` in the folder.

    Raises
    ------
    Invalid
        If it has none of the layouts.
    """
    if table is None:
        root = _root(folder)
        if root is not None:
            return LabelledFolder(root, "MURA", partial(mura.images, root))
        table = folder / LABELS_NAME
        if not table.is_file():
            raise Invalid(
                f"{folder} holds neither the lists of MURA (train_image_paths.csv) nor a table of labels "
                f"for DICOM files ({LABELS_NAME}); docs/datasets.md tells both layouts."
            )
    return LabelledFolder(folder, "DICOM files", lambda tell: dicom_folder.images(folder, table, judge, tell))


def _root(folder: Path) -> Path | None:
    """Return where MURA's lists are: here, or in the only folder that archives unpack to."""
    if mura.is_mura(folder):
        return folder
    inner = [path for path in folder.glob("*") if path.is_dir() and mura.is_mura(path)]
    return inner[0] if len(inner) == 1 else None
