"""Resize, padding, crops and tiles, by hand and over many sizes."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.data import geometry
from trainer.data.geometry import (
    cut,
    cut_target,
    five_crops,
    pad_image,
    pad_target,
    resize_image,
    resize_target,
    round_up,
    tiles,
)


def test_needs_numpy_and_pillow_alone() -> None:
    tree = ast.parse(Path(geometry.__file__).read_text(encoding="utf-8"))
    found = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    found |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    packages = {name.split(".")[0] for name in found}
    assert packages <= {*sys.stdlib_module_names, "numpy", "PIL"}


def test_shrinking_averages_and_targets_do_not() -> None:
    columns = np.zeros((8, 8), np.uint8)
    columns[:, ::2] = 200
    small = resize_image(np.repeat(columns[..., None], 3, axis=2), (2, 2))
    assert small.min() > 60 and small.max() < 140  # antialiased: near the mean of 100
    assert set(np.unique(resize_target(columns, (3, 5)))) <= {0, 200}


def test_resize_gives_height_then_width_and_leaves_equal_sizes() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    assert resize_image(image, (10, 20)).shape == (10, 20, 3)
    assert resize_target(image[..., 0], (10, 20)).shape == (10, 20)
    assert resize_image(image, (4, 6)) is image


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (31, 47), (64, 64), (100, 33)])
def test_no_label_is_invented(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    target = random.choice(np.array([0, 3, 7, 255], np.uint8), (31, 47))
    assert set(np.unique(resize_target(target, size))) <= {0, 3, 7, 255}


def test_image_and_target_are_scaled_to_the_same_place() -> None:
    image, target = np.zeros((90, 120, 3), np.uint8), np.zeros((90, 120), np.uint8)
    image[30:60, 40:80], target[30:60, 40:80] = 255, 1
    small, coded = resize_image(image, (30, 60)), resize_target(target, (30, 60))
    assert ((small[..., 0] > 127) == (coded == 1)).all()


def test_round_up_and_padding() -> None:
    assert round_up((31, 47), 16) == (32, 48)
    assert round_up((32, 48), 16) == (32, 48)
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    padded = pad_image(image, (3, 4))
    assert (padded[:2, :2] == image).all() and (padded[2] == padded[1]).all()
    assert (padded[0, 3] == image[0, 1]).all()
    assert pad_target(image[..., 0], (3, 4)).tolist() == [
        [0, 3, 255, 255],
        [6, 9, 255, 255],
        [255, 255, 255, 255],
    ]
    assert pad_image(image, (1, 2)) is image


def test_five_crops_are_corners_and_centre() -> None:
    assert five_crops((10, 20), (4, 6)) == [(0, 0), (0, 14), (6, 0), (6, 14), (3, 7)]
    assert five_crops((3, 3), (4, 6)) == [(0, 0)] * 5


def test_cut_reaches_beyond_a_small_image() -> None:
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    assert cut(image, 1, 1, (3, 4)).shape == (3, 4, 3)
    assert cut_target(image[..., 0], 1, 1, (3, 4)).tolist() == [
        [12, 15, 255, 255],
        [21, 24, 255, 255],
        [255] * 4,
    ]


def test_one_tile_for_a_small_image_and_two_by_hand() -> None:
    (only,) = tiles((5, 7), (8, 8))
    assert (only.top, only.left, only.rows, only.columns) == (0, 0, slice(0, 5), slice(0, 7))
    left, right = tiles((8, 12), (8, 8))
    # Windows 0-8 and 4-12 overlap in 4-8: the border lies in the middle of that.
    assert (left.left, left.columns) == (0, slice(0, 6))
    assert (right.left, right.columns) == (4, slice(6, 12))


def test_every_pixel_belongs_to_one_tile_that_sees_around_it() -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        shape = tuple(int(side) for side in random.integers(1, 200, 2))
        size = tuple(int(side) for side in random.integers(4, 80, 2))
        owners = np.zeros(shape, int)
        for tile in tiles(shape, size):
            owners[tile.rows, tile.columns] += 1
            for begin, own, side, length in (
                (tile.top, tile.rows, size[0], shape[0]),
                (tile.left, tile.columns, size[1], shape[1]),
            ):
                assert begin <= own.start < own.stop <= min(begin + side, length)
                if own.start > 0:
                    assert own.start - begin >= side // 4 // 2
                if own.stop < length:
                    assert begin + side - own.stop >= side // 4 // 2
        assert (owners == 1).all(), (shape, size)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
def test_channels_are_scaled_each_by_itself(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (31, 47, channels), dtype=np.uint8)
    image[..., -1] //= 64  # as transparency it would weigh the others
    scaled = resize_image(image, (20, 53))
    assert scaled.shape == (20, 53, channels)
    for band in range(channels):
        alone = Image.fromarray(image[..., band]).resize((53, 20), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(scaled[..., band], alone)
