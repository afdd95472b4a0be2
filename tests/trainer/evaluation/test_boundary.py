"""Boundary IoU on outlines whose bands can be counted by hand."""

import numpy as np
import pytest

from trainer.analysis.scores import iou
from trainer.evaluation.boundary import boundary_confusion, inner_band


def square(size: int, low: int, high: int) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    mask[low:high, low:high] = 1
    return mask


def test_the_band_is_the_rim_inside() -> None:
    band = inner_band(square(20, 4, 14) == 1, 2)
    assert band.sum() == 10 * 10 - 6 * 6
    assert not band[6:12, 6:12].any()


def test_the_image_border_is_outside() -> None:
    assert inner_band(np.ones((10, 10), bool), 1).sum() == 10 * 10 - 8 * 8


def test_its_width_is_two_percent_of_the_diagonal() -> None:
    # A diagonal of 200 sqrt 2 = 282.8 pixels: bands of 6.
    target = square(200, 50, 150)
    tp, fp, fn = boundary_confusion(target, target, 2)
    assert tp[1] == 100 * 100 - 88 * 88
    assert fp.sum() == fn.sum() == 0


def test_a_shift_costs_more_at_the_boundary_than_in_area() -> None:
    target = square(200, 50, 150)
    predicted = np.roll(target, 3, axis=1)
    # Bands of 6: the sides' columns overlap by 3 of 6 on 88 rows each, the upper and lower rims
    # by 97 of 100 columns on 6 rows each.
    overlap = 2 * 3 * 88 + 2 * 6 * 97
    band = 100 * 100 - 88 * 88
    boundary = iou(*boundary_confusion(predicted, target, 2))[1]
    assert boundary == pytest.approx(overlap / (2 * band - overlap))
    assert boundary < 97 / 103 - 0.2


def test_void_counts_for_neither() -> None:
    target, predicted = square(60, 10, 50), np.zeros((60, 60), np.uint8)
    missed = boundary_confusion(predicted, target, 2)[2, 1]
    target[:, :30] = 255
    assert 0 < boundary_confusion(predicted, target, 2)[2, 1] < missed
    target[:] = 255
    assert boundary_confusion(predicted, target, 2).sum() == 0


def test_a_class_in_neither_map_has_none() -> None:
    counts = boundary_confusion(np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8), 3)
    assert np.isnan(iou(*counts)[1:]).all()
