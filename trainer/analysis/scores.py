"""Segmentation scores from pixel counts: numpy only, shared by trainer, sweeps and dashboard.

Everything starts from confusion matrices ``C[target, predicted]`` in pixels, void left out. Per
class: TP = C[c, c], FP = column sum - TP, FN = row sum - TP. A class that is in neither map has no
score, so it is NaN, and means are taken over the classes that have one.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def counts(confusion: Counts) -> tuple[Counts, Counts, Counts]:
    """Return TP, FP and FN, each ``(..., classes)``, of matrices ``(..., classes, classes)``."""
    true_positive = np.diagonal(confusion, axis1=-2, axis2=-1)
    false_positive = confusion.sum(axis=-2) - true_positive
    false_negative = confusion.sum(axis=-1) - true_positive
    return true_positive, false_positive, false_negative


def dice(tp: Any, fp: Any, fn: Any) -> Floats:
    """Return 2 TP / (2 TP + FP + FN) (Dice, equal to F1); NaN where all three are 0."""
    return _ratio(2 * np.asarray(tp), 2 * np.asarray(tp) + fp + fn)


def iou(tp: Any, fp: Any, fn: Any) -> Floats:
    """Return TP / (TP + FP + FN) (IoU, Jaccard); NaN where all three are 0."""
    return _ratio(np.asarray(tp), np.asarray(tp) + fp + fn)


def headline_classes(num_classes: int) -> slice:
    """Return the classes whose Dice counts: the foreground alone when there are two."""
    return slice(1, 2) if num_classes == 2 else slice(0, num_classes)


def summary(per_image: Counts) -> dict[str, float]:
    """Return the scores of a split from its images' matrices ``(images, classes, classes)``.

    ``dice`` and ``miou`` are means over classes of the value of one matrix over the whole split,
    never over batches. Two classes: ``dice`` is the foreground's alone. ``dice_per_image`` is the
    mean over classes of the mean over the images that have the class.
    """
    total = per_image.sum(axis=0)
    num_classes = total.shape[-1]
    shown = headline_classes(num_classes)
    of_class_dice, of_class_iou = dice(*counts(total)), iou(*counts(total))
    of_image = nanmean(dice(*counts(per_image)), axis=0)
    labelled = int(total.sum())
    return {
        "dice": float(nanmean(of_class_dice[shown])),
        "miou": float(nanmean(of_class_iou)),
        "dice_no_background": float(nanmean(of_class_dice[1:])),
        "miou_no_background": float(nanmean(of_class_iou[1:])),
        "dice_per_image": float(nanmean(of_image[shown])),
        "accuracy": float(np.trace(total) / labelled) if labelled else float("nan"),
        "foreground_share": float(total[:, 1:].sum() / labelled) if labelled else float("nan"),
        "target_foreground_share": float(total[1:].sum() / labelled) if labelled else float("nan"),
    }


def image_scores(per_image: Counts) -> Floats:
    """Return one Dice an image ``(images,)``: the mean over the headline classes it has."""
    shown = headline_classes(per_image.shape[-1])
    means: Floats = nanmean(dice(*counts(per_image))[:, shown], axis=1)
    return means


def nanmean(values: Floats, axis: int | None = None) -> Any:
    """Return the mean of what is not NaN; NaN, silently, where nothing else is there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(values, axis=axis)


def _ratio(numerator: Any, denominator: Any) -> Floats:
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    out = np.full(denominator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out
