"""Scores from counts, against hand-computed cases and scikit-learn."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    jaccard_score,
    recall_score,
)

from trainer.analysis import ratios
from trainer.analysis.headline import short
from trainer.analysis.score_table import SCORES, higher_is_better, of_average, title, twin
from trainer.analysis.scores import counts, dice, image_scores, iou, nan_mean_last

VOID = 255


def summary(per_image: np.ndarray) -> dict[str, float]:
    return ratios.summary(ratios.PixelCounts(*counts(per_image)))


def matrix(target: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the confusion matrix by scikit-learn, void left out."""
    kept = target != VOID
    if not kept.any():
        return np.zeros((num_classes, num_classes), np.int64)
    found: np.ndarray = confusion_matrix(
        target[kept], predicted[kept], labels=list(range(num_classes))
    )
    return found


def random_maps(
    seed: int, *, num_classes: int, images: int = 5, absent: tuple[int, ...] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Return targets with void and predictions ``(images, 12, 17)`` that agree now and then."""
    rng = np.random.default_rng(seed)
    present = [c for c in range(num_classes) if c not in absent]
    target = rng.choice(present, (images, 12, 17)).astype(np.uint8)
    noise = rng.choice(present, target.shape).astype(np.uint8)
    predicted = np.where(rng.random(target.shape) < 0.6, target, noise).astype(np.uint8)
    target[rng.random(target.shape) < 0.1] = VOID
    return target, predicted


def matrices(target: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    return np.stack([matrix(t, p, num_classes) for t, p in zip(target, predicted, strict=True)])


def test_counts_by_hand() -> None:
    confusion = np.array([[50, 3, 1], [4, 20, 0], [2, 5, 10]])
    tp, fp, fn = counts(confusion)
    assert tp.tolist() == [50, 20, 10]
    assert fp.tolist() == [6, 8, 1]
    assert fn.tolist() == [4, 4, 7]


def test_dice_and_iou_by_hand() -> None:
    assert dice(20, 8, 4) == pytest.approx(40 / 52)
    assert iou(20, 8, 4) == pytest.approx(20 / 32)
    assert dice(0, 3, 0) == 0
    assert np.isnan(dice(0, 0, 0))
    assert np.isnan(iou(0, 0, 0))


def test_two_classes_by_hand() -> None:
    # 100 pixels: 20 hit, 8 false alarms, 4 missed, 68 background.
    scores = summary(np.array([[[68, 8], [4, 20]]]))
    assert scores["dice"] == pytest.approx(40 / 52)
    assert scores["dice_no_background"] == scores["dice"]
    assert scores["miou"] == pytest.approx((68 / 80 + 20 / 32) / 2)
    assert scores["miou_no_background"] == pytest.approx(20 / 32)
    assert scores["accuracy"] == pytest.approx(0.88)
    assert scores["balanced_accuracy"] == pytest.approx((68 / 76 + 20 / 24) / 2)
    assert scores["dice_per_image"] == pytest.approx(40 / 52)
    assert scores["foreground_share"] == pytest.approx(0.28)


def test_all_background_scores_zero_not_two_thirds() -> None:
    scores = summary(np.array([[[50, 0], [50, 0]]]))
    assert scores["dice"] == 0
    assert scores["dice_per_image"] == 0
    assert scores["miou"] == pytest.approx(0.25)
    assert scores["foreground_share"] == 0


def test_sums_are_over_the_split_and_not_means_over_images() -> None:
    large = [[0, 0], [10, 90]]
    small = [[90, 0], [10, 0]]
    scores = summary(np.array([large, small]))
    assert scores["dice"] == pytest.approx(180 / 200)
    assert scores["dice_per_image"] == pytest.approx((180 / 190 + 0) / 2)


def test_an_image_without_the_object_is_left_out_of_its_mean() -> None:
    with_object = [[80, 0], [5, 15]]
    without = [[100, 0], [0, 0]]
    assert summary(np.array([with_object, without]))["dice_per_image"] == pytest.approx(30 / 35)
    # A false alarm there is an error, and counts, except where the name says otherwise.
    alarm = [[90, 10], [0, 0]]
    scores = summary(np.array([with_object, alarm]))
    assert scores["dice_per_image"] == pytest.approx(15 / 35)
    assert scores["dice_per_image_present"] == pytest.approx(30 / 35)
    # What is there and not found at all counts in both.
    missed = [[90, 0], [10, 0]]
    scores = summary(np.array([with_object, missed]))
    assert scores["dice_per_image"] == scores["dice_per_image_present"] == pytest.approx(15 / 35)


def test_a_class_in_neither_map_has_no_score() -> None:
    confusion = np.array([[[30, 0, 2], [0, 0, 0], [3, 0, 10]]])
    assert np.isnan(dice(*counts(confusion))[0, 1])
    scores = summary(confusion)
    assert scores["dice"] == pytest.approx((60 / 65 + 20 / 25) / 2)
    assert scores["dice_no_background"] == pytest.approx(20 / 25)
    assert scores["miou_no_background"] == pytest.approx(10 / 15)


def test_all_void_has_no_scores_and_says_nothing_on_the_way() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = summary(np.zeros((2, 3, 3), np.int64))
        assert all(np.isnan(value) for value in scores.values())
        assert np.isnan(image_scores(np.zeros((2, 3, 3), np.int64))).all()
        assert np.isnan(nan_mean_last(np.array([])))


def test_one_image_has_one_score_both_ways() -> None:
    target, predicted = random_maps(1, num_classes=4, images=1)
    confusion = matrices(target, predicted, 4)
    scores = summary(confusion)
    assert scores["dice_per_image"] == pytest.approx(scores["dice"])
    assert image_scores(confusion)[0] == pytest.approx(scores["dice"])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("num_classes", "absent"), [(2, ()), (3, ()), (5, (2,)), (11, (0, 4, 10)), (2, (1,))]
)
def test_scikit_learn_agrees(num_classes: int, absent: tuple[int, ...], seed: int) -> None:
    target, predicted = random_maps(seed, num_classes=num_classes, absent=absent)
    confusion = matrices(target, predicted, num_classes)
    kept = target != VOID
    truth, said = target[kept], predicted[kept]
    # Asked for the classes that are there alone, it has no say on the absent ones.
    present = np.union1d(truth, said).tolist()
    f1 = f1_score(truth, said, labels=present, average=None)
    jaccard = jaccard_score(truth, said, labels=present, average=None)
    total = confusion.sum(axis=0)
    np.testing.assert_allclose(dice(*counts(total))[present], f1)
    np.testing.assert_allclose(iou(*counts(total))[present], jaccard)
    absent_classes = [c for c in range(num_classes) if c not in present]
    assert np.isnan(dice(*counts(total))[absent_classes]).all()

    scores = summary(confusion)
    assert scores["accuracy"] == pytest.approx(accuracy_score(truth, said))
    recalls = recall_score(truth, said, labels=np.unique(truth), average="macro")
    assert scores["balanced_accuracy"] == pytest.approx(recalls)
    assert scores["miou"] == pytest.approx(jaccard.mean())
    if num_classes > 2:
        assert scores["dice"] == pytest.approx(f1.mean())
    elif 1 in present:
        assert scores["dice"] == pytest.approx(f1[present.index(1)])
    else:
        assert np.isnan(scores["dice"])


@pytest.mark.parametrize("num_classes", [2, 5])
def test_scores_of_images_are_their_own(num_classes: int) -> None:
    target, predicted = random_maps(3, num_classes=num_classes)
    confusion = matrices(target, predicted, num_classes)
    alone = [image_scores(one[np.newaxis])[0] for one in confusion]
    np.testing.assert_array_equal(image_scores(confusion), alone)
    first = [summary(one[np.newaxis])["dice"] for one in confusion]
    np.testing.assert_allclose(alone, first)


@pytest.mark.parametrize("key", SCORES)
def test_a_score_of_averaged_weights_is_told_from_that_of_the_weights(key: str) -> None:
    plain, averaged = f"val/{key}", f"val/ema/{key}"
    assert [of_average(each) for each in (plain, averaged)] == [False, True]
    assert twin(plain) == twin(averaged) == f"train/{key}"
    assert higher_is_better(plain) == higher_is_better(averaged)
    assert title(plain) == f"validation {SCORES[key].label}"
    assert title(averaged) == f"{title(plain)} of averaged weights"
    if SCORES[key].higher_is_better and SCORES[key].counts == "pixels":
        assert short(averaged) == f"{short(plain)} of averaged weights"


@pytest.mark.parametrize("name", ["loss", "lossy paint", "memory/left", "time/out"])
def test_a_class_may_be_called_what_is_a_cost_elsewhere(name: str) -> None:
    assert higher_is_better(f"val/iou/{name}")
    assert higher_is_better(f"val/ema/iou/{name}")
    assert not higher_is_better("val/ema/loss")
    assert not higher_is_better("val/loss")
    assert not higher_is_better("time/epoch")
