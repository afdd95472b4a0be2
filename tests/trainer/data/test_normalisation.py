"""Mean and deviation against numpy's own, over images of different sizes."""

import numpy as np
import pytest

from trainer.data.normalisation import normalisation


def sums(images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]).astype(np.int64)
    return pixels.sum(axis=0), (pixels**2).sum(axis=0), len(pixels)


def test_dataset_is_numpy_s_over_all_pixels() -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((3, 5), (20, 7))]
    mean, std = normalisation("dataset", *sums(images))
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]) / 255
    assert mean == pytest.approx(pixels.mean(axis=0), abs=1e-12)
    assert std == pytest.approx(pixels.std(axis=0), abs=1e-12)


def test_digits_survive_a_large_nearly_constant_set() -> None:
    # 10^12 pixels of 200, a millionth of them 201: a difference of floats would lose this.
    pixels, odd = 10**12, 10**6
    total = 200 * (pixels - odd) + 201 * odd
    squares = 200**2 * (pixels - odd) + 201**2 * odd
    _, std = normalisation("dataset", np.array([total] * 3), np.array([squares] * 3), pixels)
    share = odd / pixels
    assert std[0] == pytest.approx((share * (1 - share)) ** 0.5 / 255, rel=1e-9)


def test_a_constant_channel_does_not_divide_by_zero() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[..., 1] = 255
    assert normalisation("dataset", *sums([image])) == ((0, 1, 0), (1, 1, 1))


def test_none_and_imagenet_ignore_the_data() -> None:
    counted = sums([np.full((2, 2, 3), 9, np.uint8)])
    assert normalisation("none", *counted) == ((0, 0, 0), (1, 1, 1))
    assert normalisation("imagenet", *counted)[0] == (0.485, 0.456, 0.406)
    with pytest.raises(ValueError, match=r"unknown normalisation 'image-net'.*imagenet"):
        normalisation("image-net", *counted)
