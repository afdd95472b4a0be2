"""Write every segmentation score as a mean of ratios of sums over images.

Dice of a class over a data set is Σ 2 TP / Σ (2 TP + FP + FN), summed over images; the mean Dice
per image is Σ dice / Σ 1 over the images that have the class. In this form resampling images is
one matrix product, and what a single image contributes has a closed form.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trainer import names
from trainer.analysis.score_table import SCORES, dice_terms, headline_classes, iou_terms
from trainer.analysis.scores import Floats, dice, nan_mean_last, quotient


class PixelCounts:
    """TP, FP and FN in pixels, each ``(seeds, images, classes)``, of one configuration.

    Arrays ``(images, classes)`` are one seed; ``kind`` is pixels, or bands for counts of the
    boundary bands alone. Raises ``ValueError`` when the shapes differ.
    """

    def __init__(
        self, tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, *, kind: str = "pixels"
    ) -> None:
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
        self.kind = kind

    def of(self, classes: slice) -> tuple[Floats, Floats, Floats]:
        """Return TP, FP and FN of some of the classes."""
        return self.tp[..., classes], self.fp[..., classes], self.fn[..., classes]

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
            quotient(self._sum(self.numerator, weights), self._sum(self.denominator, weights))
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
        level = quotient(numerator, denominator)[:, None]
        moved = self.numerator - np.nan_to_num(level) * self.denominator
        per_term = quotient(moved * moved.shape[1], denominator[:, None])
        return np.nan_to_num(nan_mean_last(per_term))

    @staticmethod
    def _sum(values: Floats, weights: Floats) -> Floats:
        seeds, images, terms = values.shape
        flat = values.transpose(1, 0, 2).reshape(images, seeds * terms)
        return (weights @ flat).reshape(len(weights), seeds, terms)


def ratio_of(name: str, counts: PixelCounts) -> Ratio:
    """Return a score by name; ``dice/2`` and ``iou/2`` are those of class 2 alone.

    Raises ``ValueError`` listing the known names, those of `SCORES` that come from such counts.
    """
    kind, _, of_class = name.partition("/")
    if of_class.isdecimal() and kind in ("dice", "iou") and int(of_class) < counts.classes:
        terms = dice_terms if kind == "dice" else iou_terms
        return Ratio(*terms(*counts.of(slice(int(of_class), int(of_class) + 1))))
    names.check("score", name, [key for key, s in SCORES.items() if s.counts == counts.kind])
    score = SCORES[name]
    numerator, denominator = score.terms(*counts.of(score.classes(counts.classes)))
    if not score.per_image:
        return Ratio(numerator, denominator)
    of_images = quotient(numerator, denominator)
    return Ratio(np.nan_to_num(of_images), (~np.isnan(of_images)).astype(np.float64))


def summary(counts: PixelCounts) -> dict[str, float]:
    """Return every score of `SCORES` that comes from such counts, of the first seed.

    A mean over classes is that of one matrix over the whole split, never over batches.
    """
    return {
        key: float(ratio_of(key, counts).of_all()[0])
        for key, score in SCORES.items()
        if score.counts == counts.kind
    }
