"""Boundary IoU on outlines whose bands can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainer.analysis.scores import iou
from trainer.data.collection import VOID
from trainer.evaluation.boundary import boundary_confusion, inner_band

SHAPES = st.tuples(st.integers(1, 70), st.integers(1, 70))


@st.composite
def maps(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Draw a target with void, in blocks so that it has an inside, and a map of classes alone."""
    shape = draw(SHAPES)
    small = (-(-shape[0] // 8), -(-shape[1] // 8))
    blocks = [
        draw(arrays(np.uint8, small, elements=st.sampled_from(values)))
        for values in ((0, 1, 2, VOID), (0, 1, 2))
    ]
    target, other = (np.kron(b, np.ones((8, 8), np.uint8))[: shape[0], : shape[1]] for b in blocks)
    return target, other


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


@given(maps())
def test_the_target_scores_1_against_itself_whatever_is_said_of_void(
    drawn: tuple[np.ndarray, np.ndarray],
) -> None:
    target, other = drawn
    counts = boundary_confusion(np.where(target == VOID, other, target), target, 3)
    there = np.isin([0, 1, 2], target)
    np.testing.assert_array_equal(iou(*counts), np.where(there, 1.0, np.nan))


@given(maps(), st.integers(0, 1000))
def test_no_pixel_of_void_changes_a_count(drawn: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    target, predicted = drawn
    noise = np.random.default_rng(seed).integers(0, 3, target.shape)
    other = np.where(target == VOID, noise, predicted).astype(np.uint8)
    np.testing.assert_array_equal(
        boundary_confusion(predicted, target, 3), boundary_confusion(other, target, 3)
    )
