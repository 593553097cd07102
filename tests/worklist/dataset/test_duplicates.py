"""Copies and patients on both sides of a split."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from worklist.dataset.duplicates import DuplicateKind, alike, same_pixels, shared_patients
from worklist.dataset.pixels import Fingerprint
from worklist.dataset.record import LabelledImage, Split
from worklist.tables import BodyPart


def image(
    name: str, split: Split = Split.TRAIN, patient: str = "", *, is_abnormal: bool = False
) -> LabelledImage:
    return LabelledImage(Path(name), name, BodyPart.WRIST, patient or name, name, is_abnormal, split)


def seen(pixels: bytes, *set_bits: int) -> Fingerprint:
    bits = np.zeros(256, np.uint8)
    bits[list(set_bits)] = 1
    return Fingerprint(pixels, np.packbits(bits).tobytes(), is_blank=False)


A, B, C = image("a"), image("b"), image("c", Split.VALID)


def test_patient_of_two_splits_is_named_once_by_an_image_of_each_never_by_its_id() -> None:
    images = [
        image(str(n), split, "P-1") for n, split in enumerate([Split.TRAIN, Split.TRAIN, Split.VALID] * 2)
    ]
    (found,) = shared_patients([*images, A, C])
    assert found.sentence == "0 (train) and 2 (valid) are of one patient."


def test_same_pixels_in_two_splits_and_within_one_are_told_apart() -> None:
    found = same_pixels({A: seen(b"1"), B: seen(b"1"), C: seen(b"1"), image("d"): seen(b"2")})
    assert [(item.kind, item.first, item.second) for item in found] == [
        (DuplicateKind.PIXELS_WITHIN, A, B),
        (DuplicateKind.PIXELS, A, C),
    ]


def test_copy_is_set_beside_the_earlier_one_of_another_split() -> None:
    found = same_pixels({C: seen(b"1"), A: seen(b"1"), B: seen(b"1")})
    assert [(item.kind, item.first, item.second) for item in found] == [
        (DuplicateKind.PIXELS, C, A),
        (DuplicateKind.PIXELS, C, B),
    ]


def test_labels_that_differ_between_copies_are_said() -> None:
    (found,) = same_pixels({A: seen(b"1"), replace(B, is_abnormal=True): seen(b"1")})
    assert found.sentence == "a (train) and b (train) have the same pixels; their labels differ."


def test_alike_are_images_of_two_splits_that_differ_in_few_bits() -> None:
    near, far = image("near", Split.VALID), image("far", Split.VALID)
    found = alike({A: seen(b"1"), B: seen(b"2"), near: seen(b"3", *range(14)), far: seen(b"4", *range(15))})
    assert [(item.first, item.second, item.different_bits) for item in found] == [(A, near, 14), (B, near, 14)]
    assert found[0].sentence == "a (train) and near (valid) look alike: 14 of 256 bits differ."


def test_same_pixels_are_not_told_again_as_alike() -> None:
    assert alike({A: seen(b"1"), C: seen(b"1")}) == []


def test_every_block_of_many_images_is_compared(monkeypatch) -> None:
    monkeypatch.setattr("worklist.dataset.duplicates._PAIRS_AT_ONCE", 6)
    random = np.random.default_rng(1)
    train = {image(f"t{n}"): seen(b"t%d" % n, *random.permutation(256)[:128]) for n in range(20)}
    copies = {
        image(f"v{n}", Split.VALID): replace(found, pixels=b"v") for n, found in enumerate(train.values())
    }
    found = alike({**train, **copies})
    assert [(item.first.name, item.second.name) for item in found] == [(f"t{n}", f"v{n}") for n in range(20)]
