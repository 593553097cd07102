"""Crop, classify, explain: geometry by value, and failures that stay with their image."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from workers import gradcam, pipeline
from workers.crop import Crop
from workers.pipeline import predict
from workers.square import FINENESS, Prepared, over_crop, prepare

SIZE = 64


class BrightnessAsEvidence:
    """A classifier whose evidence in each of 8 × 8 cells is how bright the cell is."""

    input_size_px = SIZE

    def __init__(self, bias: float = 0.0) -> None:
        self.bias = bias
        self.batches: list[NDArray[np.float32]] = []

    def predict(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.batches.append(batch)
        evidence = batch.reshape(len(batch), 8, 8, 8, 8).mean(axis=(2, 4))
        return evidence.mean(axis=(1, 2)) + np.float32(self.bias), evidence


def forearm(blob: tuple[int, int] | None = None) -> NDArray[np.float32]:
    """A tall limb on black, 400 × 200, with a bright blob at (row, column)."""
    image = np.full((400, 200), 0.03, np.float32)
    cv2.ellipse(image, (100, 200), (50, 170), 0, 0, 360, 0.4, -1)
    if blob:
        cv2.circle(image, blob[::-1], 14, 1.0, -1)
    return image


def test_all_images_pass_the_network_in_one_batch() -> None:
    classifier = BrightnessAsEvidence()
    predictions = predict([forearm(), forearm((300, 100)), forearm()], classifier)
    assert [len(batch) for batch in classifier.batches] == [3]
    assert [prediction.reason for prediction in predictions] == ["", "", ""]
    assert predictions[1].logit != predictions[0].logit == predictions[2].logit


@pytest.mark.parametrize("blob", [(80, 100), (200, 70), (320, 110)])
def test_a_bright_blob_is_hottest_where_it_lies_in_the_crop(blob: tuple[int, int]) -> None:
    prediction = predict([forearm(blob)], BrightnessAsEvidence())[0]
    assert prediction.crop is not None
    assert prediction.heat_map is not None
    top, left, height, width = prediction.crop
    cells = np.array(prediction.heat_map.shape)
    hottest = np.unravel_index(prediction.heat_map.argmax(), tuple(cells))
    place = (np.array(hottest) + 0.5) / cells * (height, width) + (top, left)
    # Half a cell of the network is lost to its grid, and half a sample to that of the map.
    assert np.abs(place - blob).max() <= (FINENESS / 2 + 0.5) * (np.array([height, width]) / cells).max()


def test_the_heat_map_has_the_proportions_of_the_crop_without_the_padding() -> None:
    prediction = predict([forearm((200, 100))], BrightnessAsEvidence())[0]
    assert prediction.crop is not None
    assert prediction.heat_map is not None
    _, _, height, width = prediction.crop
    rows, columns = prediction.heat_map.shape
    assert rows == 8 * FINENESS
    assert abs(columns - 8 * FINENESS * width / height) <= 1
    assert prediction.heat_map.max() == 1


def test_evidence_in_the_padding_is_not_shown() -> None:
    prepared = Prepared(np.zeros((64, 64), np.float32), Crop(0, 0, 640, 320), (0, 16, 64, 32))
    evidence = np.zeros((8, 8), np.float32)
    evidence[:, 0] = evidence[:, 7] = 9
    assert over_crop(evidence, prepared).shape == (8 * FINENESS, 4 * FINENESS)
    assert gradcam.heat_map(over_crop(evidence, prepared), 1.0) is None


def test_evidence_is_interpolated_where_the_crop_ends_within_a_cell() -> None:
    prepared = Prepared(np.zeros((64, 64), np.float32), Crop(0, 0, 60, 64), (2, 0, 60, 64))
    evidence = np.repeat(np.arange(8, dtype=np.float32)[:, None], 8, axis=1)
    # Sample k of the 30 has its centre at 2 + (k + 0.5) 2 pixels of the square, 8 pixels to a cell.
    expected = (2 + (np.arange(30) + 0.5) * 2) / 8 - 0.5
    assert_allclose(over_crop(evidence, prepared)[6:-6, 3], expected[6:-6], atol=0.05)


def test_a_square_crop_keeps_the_place_of_the_highest_cell() -> None:
    prepared = Prepared(np.zeros((64, 64), np.float32), Crop(0, 0, 9, 9), (0, 0, 64, 64))
    evidence = np.zeros((7, 7), np.float32)
    evidence[2, 5] = 1
    row, column = np.unravel_index(over_crop(evidence, prepared).argmax(), (7 * FINENESS, 7 * FINENESS))
    assert abs((row + 0.5) / FINENESS - 2.5) <= 0.5
    assert abs((column + 0.5) / FINENESS - 5.5) <= 0.5


@pytest.mark.parametrize("shape", [(400, 200), (200, 400), (50, 60), (40, 2000)])
def test_the_square_holds_the_crop_undistorted_in_its_middle(shape: tuple[int, int]) -> None:
    prepared = prepare(np.full(shape, 200, np.uint8), SIZE)  # no contrast: whole image
    top, left, height, width = prepared.letterbox
    assert max(height, width) == SIZE
    assert width / height == pytest.approx(shape[1] / shape[0], rel=0.35)
    assert abs(SIZE - height - 2 * top) <= 1
    assert abs(SIZE - width - 2 * left) <= 1
    assert_allclose(prepared.square[top : top + height, left : left + width], 200 / 255, atol=1e-6)
    assert prepared.square.sum() == pytest.approx(height * width * 200 / 255, rel=1e-5)


def test_the_normal_class_is_explained_by_the_evidence_against_abnormal() -> None:
    prediction = predict([forearm((200, 100))], BrightnessAsEvidence(bias=-5))[0]
    assert prediction.logit is not None
    assert prediction.logit < 0
    # All evidence speaks for abnormal, so nothing can be shown for normal.
    assert (prediction.heat_map, prediction.explained_class) == (None, "")


def test_an_abnormal_image_is_explained_as_abnormal() -> None:
    assert predict([forearm((200, 100))], BrightnessAsEvidence())[0].explained_class == "abnormal"


def test_an_image_that_cannot_be_prepared_does_not_spoil_the_batch() -> None:
    broken = np.full((400, 200), np.nan, np.float32)
    first, second, third = predict([forearm(), broken, forearm((80, 100))], BrightnessAsEvidence())
    assert second.reason.startswith("the image cannot be prepared: ")
    assert (second.logit, second.crop, second.heat_map) == (None, None, None)
    assert first.logit is not None
    assert third.logit is not None
    assert third.logit > first.logit


def test_a_logit_that_is_no_number_is_the_failure_of_its_image_alone() -> None:
    class Overflowing(BrightnessAsEvidence):
        def predict(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            logits, evidence = super().predict(batch)
            logits[0] = np.inf
            return logits, evidence

    first, second = predict([forearm(), forearm()], Overflowing())
    assert first.reason == "the classifier gave no finite number"
    assert second.logit is not None


def test_the_reason_of_the_crop_travels_with_the_prediction() -> None:
    prediction = predict([np.full((300, 300), 0.5, np.float32)], BrightnessAsEvidence())[0]
    assert prediction.crop == (0, 0, 300, 300)
    assert prediction.crop_reason == "the image has no contrast"


def test_nothing_to_predict_does_not_start_the_network() -> None:
    classifier = BrightnessAsEvidence()
    assert predict([], classifier) == []
    assert len(predict([np.zeros((0, 3), np.float32)], classifier)) == 1
    assert classifier.batches == []


def test_the_preprocessing_has_a_version() -> None:
    assert pipeline.PREPROCESSING_VERSION >= 1
