"""Weights of the classes against cases worked out by hand and scikit-learn."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from trainer.catalogue.losses import CLASS_WEIGHTS
from trainer.data.balance import class_weights


def weights(name: str, pixels: list[int], present: list[int] | None = None) -> list[float]:
    shown = None if present is None else np.array(present)
    result = class_weights(name, np.array(pixels), shown)
    assert result is not None
    return [float(weight) for weight in result]


def test_none_gives_no_weights() -> None:
    assert class_weights("none", np.array([1, 2])) is None


def test_inverse_by_hand_and_by_scikit_learn() -> None:
    assert weights("inverse", [60, 30, 10]) == pytest.approx([100 / 180, 100 / 90, 100 / 30])
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 2]), y=labels)
    assert weights("inverse", [60, 30, 10]) == pytest.approx(expected)


def test_median_frequency_counts_the_images_that_show_the_class() -> None:
    # Two images of 100 pixels; class 2 is in one of them: f = 120/200, 60/200, 20/100.
    assert weights("median-frequency", [120, 60, 20], [200, 200, 100]) == pytest.approx(
        [0.3 / 0.6, 1.0, 0.3 / 0.2]
    )
    # Without that knowledge, f = 0.6, 0.3, 0.1.
    assert weights("median-frequency", [120, 60, 20]) == pytest.approx([0.5, 1.0, 3.0])


def test_effective_number_by_hand() -> None:
    # N = 4, beta = 3/4: E_3 = (1 - 27/64) / (1/4) = 37/16, E_1 = 1; 16/37 + 1 = 53/37.
    assert weights("effective-number", [3, 1]) == pytest.approx([2 * 16 / 53, 2 * 37 / 53])


def test_effective_number_depends_on_shares_not_on_resolution() -> None:
    small = weights("effective-number", [9_000, 900, 100])
    large = weights("effective-number", [9_000_000_000, 900_000_000, 100_000_000])
    assert small == pytest.approx(large, rel=1e-3)
    assert small[0] < small[1] < small[2]
    # Milder than inverse frequency, as its source wants it.
    inverse = weights("inverse", [9_000, 900, 100])
    assert small[2] / small[0] < inverse[2] / inverse[0]


@pytest.mark.parametrize("name", [name for name in CLASS_WEIGHTS if name != "none"])
def test_absent_classes_weigh_nothing_and_nothing_is_infinite(name: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(100):
        pixels = random.integers(0, 10 ** random.integers(1, 12), 6) * random.integers(0, 2, 6)
        pixels[0] += 1
        result = class_weights(name, pixels, np.where(pixels > 0, pixels.sum(), 0))
        assert result is not None and np.isfinite(result).all()
        assert ((result == 0) == (pixels == 0)).all()


@pytest.mark.parametrize("name", [name for name in CLASS_WEIGHTS if name != "none"])
def test_equal_classes_weigh_one(name: str) -> None:
    assert weights(name, [500, 500, 0, 500]) == pytest.approx([1, 1, 0, 1])


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="no training pixel is labelled"):
        class_weights("inverse", np.array([0, 0]))
    with pytest.raises(ValueError, match=r"unknown class_weights 'invers'.*inverse"):
        class_weights("invers", np.array([1, 1]))
