"""A mask over its image: one rule for classes, background and void."""

import numpy as np
import pytest

from trainer.data.collection import VOID, ClassInfo
from trainer.data.painting import (
    CHEQUER,
    OPACITY,
    VOID_CHEQUERS,
    is_painted,
    lay_outlined,
    lay_over,
)

CLASSES = [
    ClassInfo(name="sky", colour=(128, 128, 128)),
    ClassInfo(name="tree", colour=(200, 50, 0)),
    ClassInfo(name="shadow", colour=(0, 0, 0)),
]


def test_by_hand() -> None:
    image = np.array([[[100, 0, 201], [10, 20, 30], [100, 7, 40], [1, 2, 3]]], np.uint8)
    laid = lay_over(image, np.array([[1, 0, 2, 9]], np.uint8), CLASSES, 0.5)
    assert laid.dtype == np.uint8
    # Half up; the first class stays clear whatever its colour; black is a colour; 9 is no class.
    assert laid.tolist() == [[[150, 25, 101], [10, 20, 30], [50, 4, 20], [1, 2, 3]]]
    assert image[0, 0].tolist() == [100, 0, 201]


def test_void_is_chequered() -> None:
    image = np.full((3 * CHEQUER, 2 * CHEQUER, 3), 7, np.uint8)
    laid = lay_over(image, np.full(image.shape[:2], VOID, np.uint8), CLASSES, 1.0)
    light, dark = (list(colour) for colour in VOID_CHEQUERS)
    corners = laid[::CHEQUER, ::CHEQUER].tolist()
    assert corners == [[light, dark], [dark, light], [light, dark]]
    for row in range(0, len(laid), CHEQUER):
        chequer = laid[row : row + CHEQUER, :CHEQUER].reshape(-1, 3)
        assert len(np.unique(chequer, axis=0)) == 1


@pytest.mark.parametrize("opacity", [0.0, 0.3, 0.55, 1.0])
def test_each_pixel_is_the_image_or_between_it_and_its_colour(opacity: float) -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (31, 17, 3)).astype(np.uint8)
    mask = rng.choice(np.array([0, 1, 2, VOID], np.uint8), (31, 17))
    laid = lay_over(image, mask, CLASSES, opacity)
    whole = lay_over(image, mask, CLASSES, 1.0)
    painted = is_painted(mask, CLASSES)
    assert np.array_equal(painted, mask != 0)
    assert np.array_equal(laid[~painted], image[~painted])
    exact = (1 - opacity) * image.astype(float) + opacity * whole
    assert np.abs(laid - exact)[painted].max() <= 0.5 + 1e-9


def test_an_image_without_classes_to_show_is_returned_as_a_copy() -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    laid = lay_over(image, np.zeros((4, 5), np.uint8), CLASSES)
    assert np.array_equal(laid, image) and laid is not image


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_other_channels_are_shown_by_their_first_three_or_grey(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 5, channels), dtype=np.uint8)
    classes = [ClassInfo(name="a", colour=(0, 0, 0)), ClassInfo(name="b", colour=(9, 9, 9))]
    shown = lay_over(image, np.zeros((4, 5), np.uint8), classes)
    expected = image[..., :3] if channels >= 3 else image[..., [0, 0, 0]]
    np.testing.assert_array_equal(shown, expected)


@pytest.mark.parametrize(("width", "depth"), [(1, 1), (3, 3)])
def test_an_outline_is_in_full_colour_and_leaves_the_background(width: int, depth: int) -> None:
    image = np.full((20, 20, 3), 100, np.uint8)
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 1
    laid = lay_outlined(image, mask, CLASSES, width=width)
    assert (laid[mask == 0] == 100).all()
    inside = np.floor(100 * (1 - OPACITY) + OPACITY * np.array(CLASSES[1].colour) + 0.5)
    in_full = (laid == CLASSES[1].colour).all(axis=2)
    assert in_full[10].nonzero()[0].tolist() == [*range(5, 5 + depth), *range(15 - depth, 15)]
    assert laid[10, 10].tolist() == inside.tolist()
    alone = lay_outlined(image, mask, CLASSES, opacity=0.0, width=width)
    assert np.array_equal((alone != image).any(axis=2), in_full)


def test_a_void_region_has_no_outline_of_its_own() -> None:
    mask = np.array([[VOID, VOID, 0, 0, 0]], np.uint8)
    image = np.zeros((1, 5, 3), np.uint8)
    assert np.array_equal(lay_outlined(image, mask, CLASSES), lay_over(image, mask, CLASSES))
