import numpy as np
import pytest

from tests.trainer.analysis.simulated import counts
from trainer.analysis.ratios import PixelCounts, ratio_of
from trainer.analysis.score_table import SCORES
from trainer.analysis.scores import counts as counts_of
from trainer.analysis.scores import dice, image_scores, iou

OF_PIXELS = [key for key, score in SCORES.items() if score.counts == "pixels"]


@pytest.mark.parametrize("classes", [2, 5])
def test_scores_are_those_of_an_evaluation(classes: int) -> None:
    random = np.random.default_rng(classes)
    confusion = random.integers(0, 50, (12, classes, classes))
    confusion[3, :, 1] = confusion[3, 1, :] = 0  # a class in neither map
    evaluated = PixelCounts(*counts_of(confusion))
    total = confusion.sum(axis=0)
    of_class = {"dice": dice(*counts_of(total)), "iou": iou(*counts_of(total))}
    headline = slice(1 if classes == 2 else 0, None)
    expected = {
        "dice": np.nanmean(of_class["dice"][headline]),
        "miou": np.nanmean(of_class["iou"]),
        "accuracy": np.trace(total) / total.sum(),
        "dice_no_background": np.nanmean(of_class["dice"][1:]),
        "miou_no_background": np.nanmean(of_class["iou"][1:]),
        "foreground_share": total[:, 1:].sum() / total.sum(),
    }
    for name in expected:
        assert ratio_of(name, evaluated).of_all()[0] == pytest.approx(expected[name]), name
    np.testing.assert_allclose(evaluated.dice_of_images()[0], image_scores(confusion))


def test_a_class_alone() -> None:
    evaluated = PixelCounts([[10, 5], [0, 5]], [[1, 2], [3, 4]], [[0, 1], [2, 3]])
    assert ratio_of("dice/1", evaluated).of_all()[0] == pytest.approx(20 / (20 + 6 + 4))
    assert ratio_of("iou/0", evaluated).of_all()[0] == pytest.approx(10 / (10 + 4 + 2))


def test_an_absent_class_is_left_out_of_the_mean() -> None:
    evaluated = PixelCounts([[8, 0, 4]], [[2, 0, 0]], [[2, 0, 0]])
    assert ratio_of("dice", evaluated).of_all()[0] == pytest.approx((16 / 20 + 1) / 2)
    assert np.isnan(ratio_of("dice/1", evaluated).of_all()[0])


def test_weights_count_an_image_twice() -> None:
    evaluated = counts(np.random.default_rng(0), images=4, seeds=2)
    twice = [
        PixelCounts(*(array[:, [0, 0, 2]] for array in (evaluated.tp, evaluated.fp, evaluated.fn)))
    ]
    for name in OF_PIXELS:
        weighted = ratio_of(name, evaluated).scores(np.array([[2.0, 0.0, 1.0, 0.0]]))[0]
        np.testing.assert_allclose(weighted, ratio_of(name, twice[0]).of_all())


@pytest.mark.parametrize("name", OF_PIXELS)
def test_influence_is_the_change_per_weight(name: str) -> None:
    ratio = ratio_of(name, counts(np.random.default_rng(1), images=9, seeds=2))
    step = 1e-6
    heavier = np.ones((9, 9)) + step * np.eye(9)
    slope = (ratio.scores(heavier) - ratio.of_all()) / step * 9
    np.testing.assert_allclose(ratio.influence(), slope.T, atol=1e-4)
    np.testing.assert_allclose(ratio.influence().mean(axis=1), 0, atol=1e-12)


def test_mistakes_are_named() -> None:
    evaluated = counts(np.random.default_rng(0), images=4)
    with pytest.raises(ValueError, match="unknown score 'dise'"):
        ratio_of("dise", evaluated)
    with pytest.raises(ValueError, match="iou/7 is of class 7; the classes are numbered 0 to 2"):
        ratio_of("iou/7", evaluated)
    with pytest.raises(ValueError, match="differ"):
        PixelCounts(np.ones((2, 3)), np.ones((2, 3)), np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"shape \(3,\) is not \(seeds, images, classes\)"):
        PixelCounts(np.ones(3), np.ones(3), np.ones(3))
