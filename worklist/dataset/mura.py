"""MURA-v1.1's layout: for each split a list of images, a list of labelled studies, and folders of PNG files.

    MURA-v1.1/train_image_paths.csv      MURA-v1.1/train/XR_WRIST/patient00001/study1_positive/image1.png
    MURA-v1.1/train_labeled_studies.csv  MURA-v1.1/train/XR_WRIST/patient00001/study1_positive/,1

The lists decide what is an image and which label it has; everything on disk that they do not explain is told.

References
----------
Rajpurkar et al., MURA: Large Dataset for Abnormality Detection in Musculoskeletal Radiographs,
arXiv 1712.06957.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from worklist.dataset.faults import Fault, FaultKind, Tell
from worklist.dataset.mura_names import Line, Place, image_place, read_lines, study_place
from worklist.dataset.record import LabelledImage, Split

SPLITS = (Split.TRAIN, Split.VALID, Split.TEST)
"""The test set was never published; it is read all the same where somebody has one in this layout."""

_LABELS = {"1": True, "0": False}
_WORDS = {True: "abnormal", False: "normal"}
_ENDINGS = (".png", ".jpg", ".jpeg")


def images_list(folder: Path, split: Split) -> Path:
    """Return the path of the list of images of a split."""
    return folder / f"{split}_image_paths.csv"


def labels_list(folder: Path, split: Split) -> Path:
    """Return the path of the list of labelled studies of a split."""
    return folder / f"{split}_labeled_studies.csv"


def is_mura(folder: Path) -> bool:
    """Say if a folder has a list of images, or body parts below the folder of a split."""
    return any(images_list(folder, split).is_file() or any((folder / split).glob("XR_*")) for split in SPLITS)


def images(folder: Path, tell: Tell) -> Iterator[LabelledImage]:
    """Yield every image that is listed and there, split by split in the order of the lists.

    Parameters
    ----------
    folder
        The one that holds the lists.
    tell
        Takes each fault.

    Notes
    -----
    Where there is no list of images, those on disk are taken; where a study has no label in the list, that of
    its folder's name; where the two contradict each other, that of the list. Each is told.
    """
    for split in SPLITS:
        if images_list(folder, split).is_file() or (folder / split).is_dir():
            yield from _Reader(folder, split, tell).images()


class _Reader:
    """Reads one split: the files on disk, the labels, then the list of images against both."""

    def __init__(self, folder: Path, split: Split, tell: Tell) -> None:
        self._folder, self._split, self._tell = folder, split, tell
        self._images_list = images_list(folder, split)
        self._labels_list = labels_list(folder, split)
        self._files = set(self._files_on_disk())
        self._labels = self._read_labels()

    def images(self) -> Iterator[LabelledImage]:
        """Yield the images of the split, then tell what no image explains."""
        listed: set[str] = set()
        labels: dict[str, bool] = {}
        for place in self._listed():
            if place.name in listed:
                self._say(FaultKind.REPEATED, place.name, f"{place.name} is listed twice; it counts once.")
                continue
            listed.add(place.name)
            if place.study not in labels:
                labels[place.study] = self._label(place)
            if place.name in self._files:
                yield self._image(place, labels[place.study])
            else:
                self._say(FaultKind.MISSING, place.name, f"{place.name} is listed and not there.")
        self._tell_the_rest(listed, labels)

    def _say(self, kind: FaultKind, path: str, sentence: str) -> None:
        self._tell(Fault(kind, path, sentence))

    def _say_hidden(self, name: str) -> None:
        self._say(FaultKind.HIDDEN, name, f"{name} is a hidden file; it is left out.")

    def _image(self, place: Place, is_abnormal: bool) -> LabelledImage:
        return LabelledImage(
            path=self._folder / place.name,
            name=place.name,
            body_part=place.body_part,
            patient=place.patient,
            study=place.study,
            is_abnormal=is_abnormal,
            split=place.split,
        )

    def _files_on_disk(self) -> Iterator[str]:
        """Yield the files of the split by their path below the folder."""
        # Body parts may lie on another disk, behind a link.
        for parent, _, files in os.walk(self._folder / self._split, followlinks=True):
            below = Path(parent).relative_to(self._folder).as_posix()
            yield from (f"{below}/{file}" for file in files)

    def _listed(self) -> Iterator[Place]:
        """Yield each image of the list, or on disk where there is no list; hidden files are none."""
        for line in self._lines_of_images():
            place = image_place(line.text, self._split)
            if isinstance(place, str):
                self._say(FaultKind.MALFORMED, line.file, f"{line.where} has {place}.")
            elif _is_hidden(place.name):
                self._files.discard(place.name)
                self._say_hidden(place.name)
            else:
                yield place

    def _lines_of_images(self) -> Iterable[Line]:
        path = self._images_list
        if path.is_file():
            return read_lines(path)
        sentence = f"{path.name} is missing; the images on disk are taken for {self._split}."
        self._say(FaultKind.NO_LIST, path.name, sentence)
        return (Line(name, name, name) for name in sorted(self._files) if self._looks_like_image(name))

    def _looks_like_image(self, name: str) -> bool:
        is_in_place = not isinstance(image_place(name, self._split), str)
        return is_in_place and name.lower().endswith(_ENDINGS) and not _is_hidden(name)

    def _read_labels(self) -> dict[str, bool]:
        """Return the label of each study of the list of labels."""
        path = self._labels_list
        labels: dict[str, bool] = {}
        if not path.is_file():
            sentence = f"{path.name} is missing; the names of the folders give the labels of {self._split}."
            self._say(FaultKind.NO_LIST, path.name, sentence)
            return labels
        for line in read_lines(path):
            text, _, word = (part.strip() for part in line.text.rpartition(","))
            place = study_place(text, self._split)
            if isinstance(place, str):
                self._say(FaultKind.MALFORMED, line.file, f"{line.where} has {place}.")
            elif word not in _LABELS:
                sentence = f"{line.where} has the label {word!r}; it must be 0 (normal) or 1 (abnormal)."
                self._say(FaultKind.MALFORMED, line.file, sentence)
            elif place.study in labels:
                self._say_repeated(line, place.study, _LABELS[word], labels[place.study])
            else:
                labels[place.study] = _LABELS[word]
        return labels

    def _say_repeated(self, line: Line, study: str, is_abnormal: bool, first: bool) -> None:
        if is_abnormal == first:
            self._say(FaultKind.REPEATED, study, f"{line.where} labels {study} a second time.")
            return
        words = f"{line.where} says that {study} is {_WORDS[is_abnormal]}, an earlier line {_WORDS[first]}"
        self._say(FaultKind.CONTRADICTED, study, f"{words}; the earlier one is taken.")

    def _label(self, place: Place) -> bool:
        """Return the label of a study and tell what is odd about it."""
        label = self._labels.get(place.study)
        by_name = _WORDS[place.is_abnormal]
        if label is None:
            if self._labels_list.is_file():
                sentence = f"{place.study} is not in {self._labels_list.name}; its name says {by_name}."
                self._say(FaultKind.UNLABELLED, place.study, sentence)
            return place.is_abnormal
        if label != place.is_abnormal:
            words = f"{place.study} is {_WORDS[label]} in {self._labels_list.name} and {by_name} by its name"
            self._say(FaultKind.CONTRADICTED, place.study, f"{words}; the list is taken.")
        return label

    def _tell_the_rest(self, listed: set[str], studies: Iterable[str]) -> None:
        """Tell the files that are no image of the list, and the labels that no image has."""
        for name in sorted(self._files - listed):
            if _is_hidden(name):
                self._say_hidden(name)
            else:
                sentence = f"{name} is no image of {self._images_list.name}; it is left out."
                self._say(FaultKind.UNLISTED, name, sentence)
        known = set(studies)
        for study in (study for study in self._labels if study not in known):
            sentence = f"{study} has a label and no image in {self._images_list.name}."
            self._say(FaultKind.IMAGELESS, study, sentence)


def _is_hidden(name: str) -> bool:
    # macOS leaves ._image1.png beside image1.png when it copies to a foreign disk.
    return name.rpartition("/")[2].startswith(".")
