"""Write every segmentation score as a mean of ratios of sums over images.

Dice of a class over a data set is Σ 2 TP / Σ (2 TP + FP + FN), summed over images; the mean Dice
per image is Σ dice / Σ 1 over the images that have the class. In this form resampling images is
one matrix product, and what a single image contributes has a closed form.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer import names
from trainer.analysis.scores import dice, headline_classes

Floats = NDArray[np.float64]


class PixelCounts:
    """TP, FP and FN in pixels, each ``(seeds, images, classes)``, of one configuration.

    Arrays ``(images, classes)`` are one seed. Raises ``ValueError`` when the shapes differ.
    """

    def __init__(self, tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> None:
        arrays = [np.asarray(counts, dtype=np.float64) for counts in (tp, fp, fn)]
        if len({array.shape for array in arrays}) > 1:
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise ValueError(f"tp, fp, fn: shapes {shapes} differ")
        if arrays[0].ndim == 2:
            arrays = [array[None] for array in arrays]
        if arrays[0].ndim != 3 or 0 in arrays[0].shape:
            raise ValueError(f"tp: shape {arrays[0].shape} is not (seeds, images, classes)")
        self.tp, self.fp, self.fn = arrays
        self.seeds, self.images, self.classes = arrays[0].shape

    def dice_of_images(self) -> Floats:
        """Return one Dice an image and seed ``(seeds, images)``: the mean over headline classes."""
        shown = headline_classes(self.classes)
        return nan_mean_last(dice(self.tp, self.fp, self.fn)[..., shown])


@dataclass(frozen=True)
class Ratio:
    """A score: the mean over terms of Σ numerator / Σ denominator, sums over images.

    Both are ``(seeds, images, terms)``; a term whose denominators are all 0 is left out.
    """

    numerator: Floats
    denominator: Floats

    def scores(self, weights: Floats) -> Floats:
        """Return the score ``(resamples, seeds)`` for image weights ``(resamples, images)``."""
        return nan_mean_last(
            _quotient(self._sum(self.numerator, weights), self._sum(self.denominator, weights))
        )

    def of_all(self) -> Floats:
        """Return the score ``(seeds,)`` of all images, each counted once."""
        scores: Floats = self.scores(np.ones((1, self.numerator.shape[1])))[0]
        return scores

    def influence(self) -> Floats:
        """Return how much each image moves each seed's score ``(seeds, images)``.

        The first-order change per unit of an image's weight, times the number of images: mean 0
        over images, and its variance over n is the variance of the score.
        """
        numerator, denominator = self.numerator.sum(axis=1), self.denominator.sum(axis=1)
        level = _quotient(numerator, denominator)[:, None]
        moved = self.numerator - np.nan_to_num(level) * self.denominator
        per_term = _quotient(moved * moved.shape[1], denominator[:, None])
        return np.nan_to_num(nan_mean_last(per_term))

    @staticmethod
    def _sum(values: Floats, weights: Floats) -> Floats:
        seeds, images, terms = values.shape
        flat = values.transpose(1, 0, 2).reshape(images, seeds * terms)
        return (weights @ flat).reshape(len(weights), seeds, terms)


def _quotient(numerator: Floats, denominator: Floats) -> Floats:
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out


def nan_mean_last(values: Floats) -> Floats:
    """Return the mean over the last axis of what is not NaN; NaN where nothing else is there."""
    there = ~np.isnan(values)
    return _quotient(np.where(there, values, 0).sum(axis=-1), there.sum(axis=-1).astype(float))


def _dice(counts: PixelCounts, chosen: slice) -> Ratio:
    numerator = 2 * counts.tp[..., chosen]
    return Ratio(numerator, numerator + counts.fp[..., chosen] + counts.fn[..., chosen])


def _iou(counts: PixelCounts, chosen: slice) -> Ratio:
    numerator = counts.tp[..., chosen]
    return Ratio(numerator, numerator + counts.fp[..., chosen] + counts.fn[..., chosen])


def _per_image(counts: PixelCounts) -> Ratio:
    scores = dice(counts.tp, counts.fp, counts.fn)[..., headline_classes(counts.classes)]
    return Ratio(np.nan_to_num(scores), (~np.isnan(scores)).astype(np.float64))


def _accuracy(counts: PixelCounts) -> Ratio:
    labelled = counts.tp + counts.fn
    return Ratio(counts.tp.sum(axis=-1, keepdims=True), labelled.sum(axis=-1, keepdims=True))


RATIOS: dict[str, Callable[[PixelCounts], Ratio]] = {
    "dice": lambda counts: _dice(counts, headline_classes(counts.classes)),
    "miou": lambda counts: _iou(counts, slice(None)),
    "dice_per_image": _per_image,
    "dice_no_background": lambda counts: _dice(counts, slice(1, None)),
    "miou_no_background": lambda counts: _iou(counts, slice(1, None)),
    "accuracy": _accuracy,
}
"""The scores that can be resampled; names and definitions as in `scores.summary`."""


def ratio_of(name: str, counts: PixelCounts) -> Ratio:
    """Return a score by name; ``dice/2`` and ``iou/2`` are those of class 2 alone.

    Raises ``ValueError`` listing the known names.
    """
    kind, _, of_class = name.partition("/")
    if of_class.isdecimal() and kind in ("dice", "iou") and int(of_class) < counts.classes:
        chosen = slice(int(of_class), int(of_class) + 1)
        return _dice(counts, chosen) if kind == "dice" else _iou(counts, chosen)
    names.check("score", name, RATIOS)
    return RATIOS[name](counts)
