"""Pixel counts on the device, against scikit-learn, torchmetrics and MONAI."""

import time
import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix
from torch import Tensor

from trainer.analysis.ratios import PixelCounts, summary
from trainer.analysis.scores import counts, dice, iou
from trainer.data.collection import VOID
from trainer.evaluation.metrics import confusion_per_image, predicted_classes

CLASSES = [2, 3, 5, 21]


def random_maps(num_classes: int, *, batch: int = 7, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return predictions and targets; one class is absent, a tenth of the pixels is void."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 13, 18)
    present = max(2, num_classes - 1)
    target = torch.randint(0, present, shape, generator=generator)
    noise = torch.randint(0, present, shape, generator=generator)
    agrees = torch.rand(shape, generator=generator) < 0.6
    predicted = torch.where(agrees, target, noise).to(torch.uint8)
    target[torch.rand(shape, generator=generator) < 0.1] = VOID
    return predicted, target.to(torch.uint8)


def test_one_channel_is_the_logit_of_class_one() -> None:
    logits = torch.tensor([[[[-0.1, 0.0, 0.1]]]])
    assert predicted_classes(logits).tolist() == [[[0, 0, 1]]]
    assert predicted_classes(logits).dtype == torch.uint8


def test_the_largest_channel_wins() -> None:
    logits = torch.tensor([[[[0.0, 9.0]], [[1.0, 2.0]], [[-1.0, 3.0]]]])
    assert predicted_classes(logits).tolist() == [[[1, 0]]]


@pytest.mark.parametrize("channels_last", [False, True])
def test_argmax_agrees(channels_last: bool) -> None:
    logits = torch.randn(3, 11, 13, 18, generator=torch.Generator().manual_seed(0))
    if channels_last:
        logits = logits.to(memory_format=torch.channels_last)
    assert torch.equal(predicted_classes(logits).long(), logits.argmax(dim=1))


@pytest.mark.parametrize("num_classes", [2, 3])
def test_counts_by_hand(num_classes: int) -> None:
    target = torch.tensor([[[0, 0, 1, 1, VOID]], [[1, 1, 1, VOID, VOID]]], dtype=torch.uint8)
    predicted = torch.tensor([[[0, 1, 1, 0, 1]], [[1, 1, 0, 0, 1]]], dtype=torch.uint8)
    found = confusion_per_image(predicted, target, num_classes)
    assert found.dtype == torch.int64
    assert found[:, :2, :2].tolist() == [[[1, 1], [1, 1]], [[0, 0], [1, 2]]]
    assert int(found.sum()) == 7


@pytest.mark.parametrize("num_classes", CLASSES)
def test_scikit_learn_agrees(num_classes: int) -> None:
    predicted, target = random_maps(num_classes)
    found = confusion_per_image(predicted, target, num_classes).numpy()
    for image in range(len(target)):
        kept = target[image] != VOID
        expected = confusion_matrix(
            target[image][kept], predicted[image][kept], labels=list(range(num_classes))
        )
        np.testing.assert_array_equal(found[image], expected)


@pytest.mark.parametrize("num_classes", CLASSES)
def test_torchmetrics_agrees(num_classes: int) -> None:
    from torchmetrics.functional.classification import (
        multiclass_confusion_matrix,
        multiclass_f1_score,
        multiclass_jaccard_index,
    )

    predicted, target = random_maps(num_classes, seed=1)
    found = confusion_per_image(predicted, target, num_classes).sum(dim=0)
    expected = multiclass_confusion_matrix(
        predicted.long(), target.long(), num_classes, ignore_index=VOID
    )
    assert torch.equal(found, expected)
    asked = {"num_classes": num_classes, "average": "none", "ignore_index": VOID}
    f1 = multiclass_f1_score(predicted.long(), target.long(), **asked).numpy()
    jaccard = multiclass_jaccard_index(predicted.long(), target.long(), **asked).numpy()
    tp, fp, fn = counts(found.numpy())
    there = tp + fp + fn > 0
    np.testing.assert_allclose(dice(tp, fp, fn)[there], f1[there], rtol=1e-6)
    np.testing.assert_allclose(iou(tp, fp, fn)[there], jaccard[there], rtol=1e-6)


@pytest.mark.slow  # importing MONAI takes five seconds
@pytest.mark.parametrize("num_classes", [2, 4])
def test_monai_agrees_on_dice_per_image_where_the_class_is(num_classes: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai.metrics import DiceMetric
        from monai.networks.utils import one_hot

    predicted, target = random_maps(num_classes, seed=2)
    target[target == VOID] = 0  # MONAI knows no void
    target[3:5] = 0  # two images without any object, in one of which some are predicted
    predicted[3] = 0
    metric = DiceMetric(include_background=num_classes > 2, reduction="none")
    of_image_and_class = metric(
        one_hot(predicted[:, None].long(), num_classes),
        one_hot(target[:, None].long(), num_classes),
    )
    # MONAI's own mean gives a class that no image has 0; it has no score.
    expected = of_image_and_class.nanmean(dim=0).nanmean()
    confusion = confusion_per_image(predicted, target, num_classes).numpy()
    ours = summary(PixelCounts(*counts(confusion)))
    assert ours["dice_per_image_present"] == pytest.approx(float(expected), rel=1e-5)
    assert ours["dice_per_image"] < ours["dice_per_image_present"]


@pytest.mark.parametrize("num_classes", CLASSES)
def test_dice_per_image_is_a_mean_over_the_images_where_either_map_has_the_class(
    num_classes: int,
) -> None:
    predicted, target = random_maps(num_classes, seed=4)
    target[3] = torch.where(target[3] == VOID, VOID, 0)  # all else that is said there is an alarm
    shown = [1] if num_classes == 2 else range(num_classes)
    of_class = []
    for index in shown:
        scores = []
        for said, true in zip(predicted, target, strict=True):
            a, b = (said == index) & (true != VOID), true == index
            if (total := int(a.sum() + b.sum())) > 0:
                scores.append(2 * int((a & b).sum()) / total)
        of_class += [np.mean(scores)] if scores else []
    ours = summary(
        PixelCounts(*counts(confusion_per_image(predicted, target, num_classes).numpy()))
    )
    assert ours["dice_per_image"] == pytest.approx(np.mean(of_class))


@pytest.mark.parametrize("num_classes", CLASSES)
def test_all_void_counts_nothing(num_classes: int) -> None:
    target = torch.full((2, 4, 4), VOID, dtype=torch.uint8)
    found = confusion_per_image(torch.ones_like(target), target, num_classes)
    assert found.shape == (2, num_classes, num_classes)
    assert int(found.sum()) == 0


@pytest.mark.parametrize("num_classes", CLASSES)
def test_the_batch_size_does_not_matter(num_classes: int) -> None:
    predicted, target = random_maps(num_classes, batch=15)
    whole = confusion_per_image(predicted, target, num_classes)
    for size in (1, 7):
        parts = [
            confusion_per_image(p, t, num_classes)
            for p, t in zip(predicted.split(size), target.split(size), strict=True)
        ]
        assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("num_classes", CLASSES)
def test_the_memory_layout_does_not_matter(num_classes: int) -> None:
    predicted, target = random_maps(num_classes)
    turned = target.transpose(1, 2).contiguous().transpose(1, 2)
    cut = torch.zeros(7, 13, 40, dtype=torch.uint8)
    cut[:, :, 5:23] = predicted
    expected = confusion_per_image(predicted, target, num_classes)
    assert torch.equal(confusion_per_image(cut[:, :, 5:23], turned, num_classes), expected)


@pytest.mark.gpu
@pytest.mark.parametrize("num_classes", CLASSES)
def test_a_gpu_counts_the_same(num_classes: int) -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    predicted, target = random_maps(num_classes)
    found = confusion_per_image(predicted.cuda(), target.cuda(), num_classes)
    assert torch.equal(found.cpu(), confusion_per_image(predicted, target, num_classes))


def test_a_large_image_does_not_overflow() -> None:
    target = torch.zeros(1, 4200, 4300, dtype=torch.uint8)  # more than 2**24 pixels
    found = confusion_per_image(target, target, 2)
    assert found.tolist() == [[[4200 * 4300, 0], [0, 0]]]


def test_two_classes_are_counted_within_the_budget() -> None:
    """3 ms for a batch of 16 at 240 x 160 on two cores; five times that on a busy machine."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(16, 1, 160, 240, generator=generator)
    target = torch.randint(0, 2, (16, 160, 240), generator=generator).to(torch.uint8)
    best = min(_seconds(logits, target) for _ in range(30))
    assert best < 0.015


def _seconds(logits: Tensor, target: Tensor) -> float:
    started = time.perf_counter()
    confusion_per_image(predicted_classes(logits), target, 2)
    return time.perf_counter() - started
