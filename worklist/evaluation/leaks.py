"""Patients or pixels that were learnt from and measured on: what is measured there is worth nothing."""

from collections.abc import Iterable, Mapping, Sequence

from worklist.dataset.duplicates import DuplicateKind, alike, same_pixels, shared_patients
from worklist.dataset.pixels import Fingerprint
from worklist.dataset.record import LabelledImage, Split
from worklist.dataset.snapshot import Role, SnapshotImage
from worklist.evaluation.comparison import GateTest


def as_labelled(images: Iterable[SnapshotImage]) -> list[LabelledImage]:
    """Return the images in two splits: those that anything was chosen by, and those that measure."""
    return [
        LabelledImage(
            path=image.path,
            name=image.name,
            body_part=image.body_part,
            patient=image.patient,
            study=image.study,
            is_abnormal=image.is_abnormal,
            split=Split.TEST if image.role is Role.TEST else Split.TRAIN,
        )
        for image in images
    ]


def leaks(images: Sequence[LabelledImage], prints: Mapping[LabelledImage, Fingerprint]) -> list[GateTest]:
    """Answer whether a patient or an image is on both sides.

    Parameters
    ----------
    images
        As `as_labelled` returns them.
    prints
        Of those that can be read.
    """
    seen = {image: found for image, found in prints.items() if not found.is_blank}
    patients = shared_patients(images)
    copies = [one for one in same_pixels(seen) if one.kind is DuplicateKind.PIXELS]
    likes = alike(seen)
    return [
        _test(
            "patients",
            "Was no patient learnt from and measured on?",
            "patients",
            [one.sentence for one in patients],
        ),
        _test(
            "copies",
            "Was no image learnt from and measured on?",
            "pairs of images with the same pixels",
            [one.sentence for one in copies],
        ),
        _test(
            "alike",
            "Is no image like one that was learnt from?",
            "pairs that look alike",
            [one.sentence for one in likes],
        ),
    ]


def _test(key: str, question: str, counted: str, found: Sequence[str]) -> GateTest:
    first = f", such as: {found[0]}" if found else ""
    return GateTest(key, question, f"{len(found)} {counted}{first}", "There is none.", not found)
