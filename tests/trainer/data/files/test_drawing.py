"""Polygons and run lengths become the pixels whose centres they hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.files.drawing import MAX_CROSSINGS, Shape, draw, polygon, run_lengths

# What pycocotools makes of a disc with a hole, and the pixels of it.
DISC = "a:7n06K4L4M2N2N2N2O0O2O0O2O]OM13OM120N11OO11c0000000001N10001N101N101N2N2N2N3L4L5JZ8"


def disc() -> np.ndarray:
    y, x = np.mgrid[:40, :50]
    found = (y - 20) ** 2 + (x - 25) ** 2 < 300
    found[18:22, 20:24] = False
    return found


def filled(*polygons, height=30, width=40) -> np.ndarray:
    shape = Shape(value=1, polygons=tuple(polygon(points) for points in polygons))
    return draw([shape], height, width)


def square(left, top, right, bottom) -> list:
    return [left, top, right, top, right, bottom, left, bottom]


def test_a_square_between_pixel_borders_is_its_pixels_and_no_more():
    target = filled(square(10, 10, 20, 20))
    assert target.sum() == 100
    assert target[10:20, 10:20].all()


@pytest.mark.parametrize(
    ("points", "pixels"),
    [
        (square(3.2, 4.1, 9.7, 8.8), 35),  # as pycocotools counts
        (square(-5, -5, 4, 3), 12),
        (square(38, 28, 1000, 1000), 4),
        (square(-9, -9, -1, -1), 0),
        ([0, 0, 20, 0, 0, 20], 190),  # the centres upon the slant are left out
        ([10, 10, 10, 10, 10, 10], 0),
        ([0, 0, 10, 10, 10, 0, 0, 10], 50),  # a bow tie
    ],
    ids=["between", "corner", "outside", "nowhere", "triangle", "no area", "crossing"],
)
def test_known_areas(points, pixels):
    assert filled(points).sum() == pixels


def test_parts_of_one_shape_are_joined_and_not_cut_out_of_each_other():
    both = filled(square(0, 0, 10, 10), square(5, 5, 15, 15))
    assert both.sum() == 175


def test_later_shapes_lie_over_earlier_ones():
    outer = Shape(value=2, polygons=(polygon(square(0, 0, 10, 10)),))
    hole = Shape(value=0, polygons=(polygon(square(4, 4, 6, 6)),))
    assert np.bincount(draw([outer, hole], 30, 40).ravel())[2] == 96
    assert outer.area == 100


corners = st.tuples(st.integers(-8, 24), st.integers(-8, 24))


@given(st.lists(corners, min_size=3, max_size=9), st.integers(1, 20), st.integers(1, 20))
def test_inside_is_where_a_ray_crosses_the_outline_an_odd_number_of_times(points, height, width):
    def inside(x: float, y: float) -> bool:
        crossed = 0
        for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
            if (ay > y) != (by > y):
                crossed += ax + (y - ay) * (bx - ax) / (by - ay) > x
        return crossed % 2 == 1

    target = filled(points, height=height, width=width)
    for row, column in np.ndindex(height, width):
        near = min(abs(side(points, column + 0.5, row + 0.5)))
        if near > 1e-9:  # upon the outline either is right
            assert target[row, column] == inside(column + 0.5, row + 0.5)


def side(points, x, y) -> np.ndarray:
    """Return on which side of each edge's line a point lies; 0 is upon it."""
    start = np.array(points, float)
    end = np.roll(start, -1, axis=0)
    (dx, dy), (px, py) = (end - start).T, (np.array([x, y]) - start).T
    return np.where((dx == 0) & (dy == 0), 1, dx * py - dy * px)


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=6))
def test_run_lengths_go_down_the_columns(rows):
    mask = np.array(rows)
    flat = mask.T.ravel()
    borders = np.flatnonzero(np.diff(flat.astype(int))) + 1
    counts = np.diff([0, *borders, flat.size]).tolist()
    counts = [0, *counts] if flat[0] else counts
    drawn = draw([Shape(value=1, runs=run_lengths(counts, mask.size))], *mask.shape)
    assert np.array_equal(drawn, mask)


def test_compressed_run_lengths_are_those_of_pycocotools():
    shape = Shape(value=1, runs=run_lengths(DISC, 2000))
    assert np.array_equal(draw([shape], 40, 50), disc())
    assert shape.area == 933


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        ([10, 5], "cover 15 pixels of 2,000"),
        (DISC[:-4], "run lengths"),
        ([2001, -1], "below 0"),
        ([1000.5, 999.5], "no list of whole numbers"),
        ([2**70], "no list of whole numbers"),
        (None, "no list of whole numbers"),
        ("", "damaged"),
        ("oooooooooooooooo", "damaged"),
        ("oooooooooooooooo0", "damaged"),
        ("ü0", "damaged"),
    ],
)
def test_wrong_run_lengths_say_what_is_wrong(counts, problem):
    with pytest.raises(ValueError, match=problem):
        run_lengths(counts, 2000)


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        ([1, 2, 3, 4], "2 points; 3 are needed"),
        ([], "0 points"),
        ([1, 2, 3, 4, 5], "not pairs of numbers"),
        ([[1, 2], [3]], "not pairs of numbers"),
        ([[[1, 2]], [[3, 4]]], "not pairs of numbers"),
        (["a", "b"], "not pairs of numbers"),
        ({"x": 1}, "not pairs of numbers"),
        ([1, 2, 3, 4, 5, 1e300], "outside of any image"),
        ([1, 2, 3, 4, 5, float("nan")], "outside of any image"),
    ],
)
def test_wrong_points_say_what_is_wrong(points, problem):
    with pytest.raises(ValueError, match=problem):
        polygon(points)


def test_an_outline_that_would_fill_the_memory_is_refused():
    height = 4000
    zigzag = np.stack([np.arange(2200), np.arange(2200) % 2 * height], axis=1)
    assert len(zigzag) * height > MAX_CROSSINGS
    with pytest.raises(ValueError, match=r"crosses 8,\d+,\d+ rows"):
        filled(zigzag.tolist(), height=height)
