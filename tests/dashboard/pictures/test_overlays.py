"""Overlays, pixel by pixel."""

import base64
import io
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from dashboard.pictures import overlays
from tests.dashboard import errors
from trainer.palette import PALETTE

TARGET = np.array([[0, 1, 1, 0, 255, 2]], np.uint8)
PREDICTED = np.array([[0, 1, 0, 1, 1, 1]], np.uint8)


def test_every_pixel_is_right_wrong_or_missed() -> None:
    codes = errors.error_codes(PREDICTED, TARGET)
    assert codes.tolist() == [[0, errors.TP, errors.FN, errors.FP, 0, errors.FP]]
    of_two = errors.error_codes(PREDICTED, TARGET, 2)
    assert of_two.tolist() == [[0, 0, 0, 0, 0, errors.FN]]
    of_background = errors.error_codes(PREDICTED, TARGET, 0)
    assert of_background.tolist() == [[errors.TP, 0, errors.FP, errors.FN, 0, 0]]


def test_codes_count_what_the_confusion_matrix_counts() -> None:
    rng = np.random.default_rng(0)
    target, predicted = (rng.integers(0, 3, (40, 50)).astype(np.uint8) for _ in range(2))
    target[rng.random(target.shape) < 0.1] = 255
    for index in range(3):
        codes = errors.error_codes(predicted, target, index)
        labelled = target != 255
        assert (codes == errors.TP).sum() == ((predicted == index) & (target == index)).sum()
        assert (codes == errors.FP).sum() == (
            (predicted == index) & (target != index) & labelled
        ).sum()
        assert (codes == errors.FN).sum() == ((predicted != index) & (target == index)).sum()


def test_colours_are_mixed_exactly() -> None:
    image = np.full((1, 6, 3), 100, np.uint8)
    painted = errors.paint_errors(image, errors.error_codes(PREDICTED, TARGET), 0.5)
    red, green, blue = errors.COLOURS[errors.TP]
    assert painted[0, 0].tolist() == [100, 100, 100]
    assert painted[0, 1].tolist() == [(100 + c + 1) // 2 for c in (red, green, blue)]
    assert errors.paint_errors(image, errors.error_codes(PREDICTED, TARGET), 0).max() == 100


def test_encoding_is_lossless() -> None:
    rng = np.random.default_rng(0)
    for shape in ((7, 9), (7, 9, 3)):
        image = rng.integers(0, 256, shape).astype(np.uint8)
        content = base64.b64decode(overlays.encoded(image).split(",")[1])
        assert np.array_equal(np.array(Image.open(io.BytesIO(content))), image)


# How colours look to the colour-blind: Viénot, Brettel and Mollon (1999), in linear RGB.
PROTAN = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
DEUTAN = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])


def lightness_and_hue(colour: tuple[int, int, int], seen_by: np.ndarray) -> np.ndarray:
    """Return CIELAB as somebody sees it, so that Euclidean distance is a visible difference."""
    linear = (np.array(colour) / 255) ** 2.2
    seen = np.clip(seen_by @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = (xyz @ seen) / np.array([0.9505, 1.0, 1.089])
    fx, fy, fz = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


@pytest.mark.parametrize("seen_by", [np.eye(3), PROTAN, DEUTAN], ids=["all", "protan", "deutan"])
def test_right_wrong_and_missed_can_be_told_apart(seen_by: np.ndarray) -> None:
    # About 2.3 is just noticeable; ten times that cannot be mistaken at a glance.
    for one, other in combinations(errors.COLOURS.values(), 2):
        distance = np.linalg.norm(
            lightness_and_hue(one, seen_by) - lightness_and_hue(other, seen_by)
        )
        assert distance > 20, (one, other, distance)


def test_the_palette_has_no_colour_twice() -> None:
    assert len(set(PALETTE)) == len(PALETTE)
