"""Counts from confusion matrices, and Dice and IoU from counts: numpy only.

Everything starts from confusion matrices ``C[target, predicted]`` in pixels, void left out. Per
class: TP = C[c, c], FP = column sum - TP, FN = row sum - TP. A class that is in neither map has no
score, so it is NaN, and means are taken over the classes that have one.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.analysis.score_table import dice_terms, headline_classes, iou_terms

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
    return quotient(*dice_terms(np.asarray(tp), fp, fn))


def iou(tp: Any, fp: Any, fn: Any) -> Floats:
    """Return TP / (TP + FP + FN) (IoU, Jaccard); NaN where all three are 0."""
    return quotient(*iou_terms(np.asarray(tp), fp, fn))


def image_scores(per_image: Counts) -> Floats:
    """Return one Dice an image ``(images,)``: the mean over the headline classes it has."""
    shown = headline_classes(per_image.shape[-1])
    return nan_mean_last(dice(*counts(per_image))[:, shown])


def nan_mean_last(values: Floats) -> Floats:
    """Return the mean over the last axis of what is not NaN; NaN where nothing else is there."""
    there = ~np.isnan(values)
    return quotient(np.where(there, values, 0).sum(axis=-1), there.sum(axis=-1))


def quotient(numerator: Any, denominator: Any) -> Floats:
    """Return numerator / denominator, broadcast; NaN where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    out = np.full(denominator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out
