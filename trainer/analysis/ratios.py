"""Write every segmentation score as a mean of ratios of sums over images.

Dice of a class over a data set is Σ 2 TP / Σ (2 TP + FP + FN), summed over images; the mean Dice
per image is Σ dice / Σ 1 over the images that have the class. In this form resampling images is
one matrix product, what a single image contributes has a closed form, and the images of a group
are added up to one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trainer import names
from trainer.analysis.score_table import SCORES, dice_terms, headline_classes, iou_terms
from trainer.analysis.scores import Floats, dice, nan_mean_last, quotient
from trainer.wording import counted


class PixelCounts:
    """TP, FP and FN in pixels, each ``(seeds, images, classes)``, of one configuration.

    Arrays ``(images, classes)`` are one seed; ``kind`` is pixels, or bands for counts of the
    boundary bands alone. ``groups`` names the group of each image (the car, the patient): what is
    drawn again as one. None where it is unknown: each image is then taken to stand alone. Raises
    ``ValueError`` when the shapes differ.
    """

    def __init__(
        self,
        tp: ArrayLike,
        fp: ArrayLike,
        fn: ArrayLike,
        *,
        kind: str = "pixels",
        groups: Sequence[str] | None = None,
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
        if groups is not None and len(groups) != self.images:
            raise ValueError(f"groups: {len(groups)} for {self.images} images; give one each")
        self.groups = None if groups is None else tuple(groups)

    @property
    def sample(self) -> "Sample":
        """How many images there are, and of how many groups."""
        return Sample(self.images, None if self.groups is None else len(set(self.groups)))

    def of(self, classes: slice) -> tuple[Floats, Floats, Floats]:
        """Return TP, FP and FN of some of the classes."""
        return self.tp[..., classes], self.fp[..., classes], self.fn[..., classes]

    def dice_of_images(self) -> Floats:
        """Return one Dice an image and seed ``(seeds, images)``: the mean over headline classes."""
        shown = headline_classes(self.classes)
        return nan_mean_last(dice(self.tp, self.fp, self.fn)[..., shown])


@dataclass(frozen=True)
class Sample:
    """What a score rests on: images, and the groups that they are of, None where unknown."""

    images: int
    groups: int | None = None

    @property
    def units(self) -> int:
        """How many are independent of each other: the groups, else the images."""
        return self.images if self.groups is None else self.groups

    @property
    def grouped(self) -> bool:
        """Whether some images are of one group."""
        return self.units < self.images

    @property
    def unit(self) -> str:
        """What is drawn again, in words: groups or images."""
        return "groups" if self.grouped else "images"

    def told(self, kind: str = "") -> str:
        """Return it in words, such as ``128 images of 8 groups``; ``kind`` says what images."""
        images = counted(self.images, f"{kind} image".strip())
        return f"{images} of {counted(self.units, 'group')}" if self.grouped else images

    def __str__(self) -> str:
        return self.told()


@dataclass(frozen=True)
class Ratio:
    """A score: the mean over terms of Σ numerator / Σ denominator, sums over units.

    Both are ``(seeds, units, terms)``, a unit being a group of images, or an image; a term whose
    denominators are all 0 is left out.
    """

    numerator: Floats
    denominator: Floats

    @property
    def units(self) -> int:
        """The number of groups, or of images where each stands alone."""
        return int(self.numerator.shape[1])

    @property
    def effective_units(self) -> float:
        """How many units of one size would weigh as these do: (Σ size)² / Σ size², mean over terms.

        The effective number of clusters of Carter, Schnepel and Steigerwald (2017), for equal
        correlation: a group of many images is more than its share of a score.
        """
        sizes = self.denominator
        of_terms = quotient(sizes.sum(axis=1) ** 2, (sizes**2).sum(axis=1))
        return float(nan_mean_last(of_terms.ravel()))

    def over(self, groups: Sequence[str] | None) -> "Ratio":
        """Return the same score with the images of each group added up to one unit."""
        if groups is None:
            return self
        order = np.argsort(np.asarray(groups, dtype=str), kind="stable")
        starts = np.unique(np.asarray(groups, dtype=str)[order], return_index=True)[1]
        if starts.size == order.size:
            return self
        parts = (self.numerator, self.denominator)
        return Ratio(*(np.add.reduceat(values[:, order], starts, axis=1) for values in parts))

    def scores(self, weights: Floats) -> Floats:
        """Return the score ``(resamples, seeds)`` for weights ``(resamples, units)``."""
        return nan_mean_last(
            quotient(self._sum(self.numerator, weights), self._sum(self.denominator, weights))
        )

    def of_all(self) -> Floats:
        """Return the score ``(seeds,)`` of all images, each counted once."""
        scores: Floats = self.scores(np.ones((1, self.units)))[0]
        return scores

    def influence(self) -> Floats:
        """Return how much each unit moves each seed's score ``(seeds, units)``.

        The first-order change per weight of a unit, times the number of units: mean 0 over units,
        and its variance over n is the variance of the score.
        """
        numerator, denominator = self.numerator.sum(axis=1), self.denominator.sum(axis=1)
        level = quotient(numerator, denominator)[:, None]
        moved = self.numerator - np.nan_to_num(level) * self.denominator
        per_term = quotient(moved * moved.shape[1], denominator[:, None])
        return np.nan_to_num(nan_mean_last(per_term))

    @staticmethod
    def _sum(values: Floats, weights: Floats) -> Floats:
        seeds, units, terms = values.shape
        flat = values.transpose(1, 0, 2).reshape(units, seeds * terms)
        return (weights @ flat).reshape(len(weights), seeds, terms)


def ratio_of(name: str, counts: PixelCounts) -> Ratio:
    """Return a score by name; ``dice/2`` and ``iou/2`` are those of class 2 alone.

    Raises ``ValueError`` listing the known names, those of `SCORES` that come from such counts.
    """
    kind, _, of_class = name.partition("/")
    if of_class.isdecimal() and kind in ("dice", "iou"):
        if int(of_class) >= counts.classes:
            raise ValueError(
                f"score: {name} is of class {of_class}; the classes are numbered 0 to "
                f"{counts.classes - 1}"
            )
        terms = dice_terms if kind == "dice" else iou_terms
        of_it = terms(*counts.of(slice(int(of_class), int(of_class) + 1)))
        return Ratio(*of_it).over(counts.groups)
    names.check("score", name, [key for key, s in SCORES.items() if s.counts == counts.kind])
    score = SCORES[name]
    numerator, denominator = score.terms(*counts.of(score.classes(counts.classes)))
    if not score.per_image:
        return Ratio(numerator, denominator).over(counts.groups)
    of_images = quotient(numerator, denominator)
    there = (~np.isnan(of_images)).astype(np.float64)
    return Ratio(np.nan_to_num(of_images), there).over(counts.groups)


def summary(counts: PixelCounts) -> dict[str, float]:
    """Return every score of `SCORES` that comes from such counts, of the first seed.

    A mean over classes is that of one matrix over the whole split, never over batches.
    """
    return {
        key: float(ratio_of(key, counts).of_all()[0])
        for key, score in SCORES.items()
        if score.counts == counts.kind
    }
