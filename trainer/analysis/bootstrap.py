"""Intervals for scores and for differences of scores, by resampling images and seeds.

Images are drawn with replacement; the same draw serves every seed and both sides of a comparison,
because all of them saw the same images (a paired bootstrap). Seeds are drawn beside them
where there are several (both ways at once: the pigeonhole bootstrap of Owen, Annals of Applied
Statistics 2007).

Two intervals come out. The percentile interval is the 2.5 % and 97.5 % quantiles of the draws. It
is too narrow for few images and few seeds, since a resample varies too little then, and for
scores with rare failures it stays so for long: docs/metrics.md holds the measured coverage. The
interval that verdicts rest on therefore takes the standard error from the bootstrap, corrects it
for the number of images and seeds, and Student's t quantile for the degrees of freedom (Efron and
Tibshirani 1993, chapter 12; n / (n − 1) as in Hesterberg, The American Statistician 2015).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trainer.analysis.ratios import PixelCounts, Ratio, ratio_of
from trainer.analysis.score_table import headlines
from trainer.analysis.scores import Floats

RESAMPLES = 10_000
FEWEST_IMAGES = 5
"""Below this number of images no verdict is given: one odd image would decide it (ours)."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A score or a difference, and how well it is known."""

    value: float
    low: float
    high: float
    """Bounds from the bootstrap's standard error and Student's t; NaN with a single image."""
    percentile_low: float
    percentile_high: float
    """The plain quantiles of the draws."""
    standard_error: float
    degrees_of_freedom: float
    p_value: float
    """Two-sided, for the value 0; meaningful for a difference only."""
    level: float
    images: int
    seeds: tuple[int, ...]
    """Number of seeds of the score, or of both sides of the difference."""
    over_seeds: bool
    """Whether seeds were resampled too: the interval is then about configurations, not models."""
    resamples: int

    def negated(self) -> "Interval":
        """Return the interval of the difference taken the other way round."""
        return replace(
            self,
            value=-self.value,
            low=-self.high,
            high=-self.low,
            percentile_low=-self.percentile_high,
            percentile_high=-self.percentile_low,
            seeds=self.seeds[::-1],
        )


Side = tuple[int, Ratio]
"""A sign and a score: a difference is the sum of its sides, each a mean over seeds."""


def score_intervals(
    counts: PixelCounts,
    scores: Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Return each score with its interval over images, and over seeds where there are several.

    ``scores`` are keys of `trainer.analysis.score_table.SCORES`, the headline ones unless others
    are named, or ``dice/2``, ``iou/2`` for class 2.
    Bounds come from the logit of the score, so they lie within 0 and 1 and reach further to the
    side of failures that no image happened to show.
    """
    chosen = headlines(counts.kind) if scores is None else scores
    sides = {name: [(1, ratio_of(name, counts))] for name in chosen}
    found = intervals(sides, resamples=resamples, seed=seed, level=level)
    return {name: on_logit(interval) for name, interval in found.items()}


def on_logit(interval: Interval) -> Interval:
    """Return the interval of a score with its bounds taken on the logit scale (delta method)."""
    score, half = interval.value, interval.high - interval.value
    if not 0 < score < 1 or np.isnan(half):
        return replace(interval, low=max(interval.low, 0.0), high=min(interval.high, 1.0))
    odds = score / (1 - score)
    widened = float(np.exp(min(half / (score * (1 - score)), 700.0)))
    return replace(
        interval,
        low=odds / (odds + widened),
        high=odds * widened / (1 + odds * widened),
    )


def intervals(
    sides: Mapping[str, Sequence[Side]], *, resamples: int, seed: int, level: float
) -> dict[str, Interval]:
    """Return the interval of each sum of sides, all from the same draws of images."""
    random = np.random.default_rng(seed)
    shapes = {
        name: [ratio.numerator.shape[:2] for _, ratio in side] for name, side in sides.items()
    }
    images = {count for shape in shapes.values() for _, count in shape}
    if len(images) != 1:
        raise ValueError(f"images: {sorted(images)} differ in number; compare the same split")
    number = images.pop()
    drawn: dict[str, list[list[Floats]]] = {
        name: [[] for _ in side] for name, side in sides.items()
    }
    for weights in _image_weights(number, resamples, random):
        for name, side in sides.items():
            for kept, (_, ratio) in zip(drawn[name], side, strict=True):
                kept.append(ratio.scores(weights))
    return {
        name: _interval(side, [np.concatenate(kept) for kept in drawn[name]], number, random, level)
        for name, side in sides.items()
    }


def t_quantile(level: float, degrees_of_freedom: float) -> float:
    """Return t such that a share ``level`` of Student's distribution lies within ±t."""
    # Late, here and below: it takes longer to import than a page to be drawn.
    from scipy import stats

    return float(stats.t.ppf((1 + level) / 2, degrees_of_freedom))


def _image_weights(images: int, resamples: int, random: np.random.Generator) -> Iterator[Floats]:
    """Yield how often each image is drawn ``(block, images)``, in blocks that bound the memory."""
    block = max(1, 4_000_000 // images)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        # Drawing and counting is three times faster than asking for multinomial counts.
        drawn = random.integers(0, images, (size, images)) + images * np.arange(size)[:, None]
        counted = np.bincount(drawn.ravel(), minlength=size * images)
        yield counted.reshape(size, images).astype(np.float64)


def _interval(
    side: Sequence[Side],
    drawn: Sequence[Floats],
    images: int,
    random: np.random.Generator,
    level: float,
) -> Interval:
    seeds = tuple(scores.shape[1] for scores in drawn)
    over_seeds = min(seeds) > 1
    of_all = [ratio.of_all() for _, ratio in side]
    signs = [sign for sign, _ in side]
    value = float(sum(sign * scores.mean() for sign, scores in zip(signs, of_all, strict=True)))
    means = sum(sign * scores.mean(axis=1) for sign, scores in zip(signs, drawn, strict=True))
    variance, freedom = _image_variance(np.asarray(means), images)
    draws = np.asarray(means)
    if over_seeds:
        variance, freedom = _with_seeds(variance, images, side, of_all)
        draws = _draw_seeds(signs, drawn, random)
    error = float(np.sqrt(variance))
    half = t_quantile(level, freedom) * error if images > 1 else float("nan")
    low, high = _quantiles(draws, level)
    return Interval(
        value=value,
        low=value - half,
        high=value + half,
        percentile_low=low,
        percentile_high=high,
        standard_error=error,
        degrees_of_freedom=freedom,
        p_value=_p_value(value, error, freedom),
        level=level,
        images=images,
        seeds=seeds,
        over_seeds=over_seeds,
        resamples=len(draws),
    )


def _image_variance(means: Floats, images: int) -> tuple[float, float]:
    """Return the variance that the choice of images explains, and its degrees of freedom.

    A bootstrap's variance is that of the sample with divisor n; n / (n − 1) undoes it.
    """
    if images < 2:
        return float("nan"), 1.0
    return float(np.nanvar(means)) * images / (images - 1), float(images - 1)


def _with_seeds(
    by_images: float, images: int, side: Sequence[Side], of_all: Sequence[Floats]
) -> tuple[float, float]:
    """Return the variance over images and seeds, and its degrees of freedom.

    The images' and the seeds' shares both hold what is particular to an image under one seed, so
    it is taken off once (the two-way layout's interaction mean square, on influences). Degrees of
    freedom after Satterthwaite (1946).
    """
    shares = [(by_images, images - 1)]
    interaction = 0.0
    for (_, ratio), scores in zip(side, of_all, strict=True):
        seeds = scores.size
        shares.append((float(scores.var(ddof=1)) / seeds, seeds - 1))
        influence = ratio.influence()
        rest = influence - influence.mean(axis=0)
        interaction += (
            float((rest**2).sum()) / max((seeds - 1) * (images - 1), 1) / (seeds * images)
        )
    by_seeds = sum(share for share, _ in shares[1:])
    total = max(by_images, by_seeds, by_images + by_seeds - interaction)
    spread = sum(share**2 / freedom for share, freedom in shares if freedom > 0)
    return total, max(1.0, total**2 / spread) if spread > 0 else 1.0


def _draw_seeds(
    signs: Sequence[int], drawn: Sequence[Floats], random: np.random.Generator
) -> Floats:
    total = np.zeros(len(drawn[0]))
    for sign, scores in zip(signs, drawn, strict=True):
        resamples, seeds = scores.shape
        weights = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
        total += sign * (scores * weights).sum(axis=1) / seeds
    return total


def _quantiles(draws: Floats, level: float) -> tuple[float, float]:
    finite = draws[np.isfinite(draws)]
    if finite.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _p_value(value: float, error: float, freedom: float) -> float:
    if np.isnan(value) or np.isnan(error):
        return float("nan")
    if error == 0:
        return 1.0 if value == 0 else 0.0
    from scipy import stats

    return 2 * float(stats.t.sf(abs(value / error), freedom))
