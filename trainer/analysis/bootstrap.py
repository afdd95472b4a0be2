"""Intervals for scores and for differences of scores, by resampling groups of images and seeds.

Groups are drawn with replacement, all images of one together (the cluster bootstrap: Davison and
Hinkley 1997, section 3.8): the views of a car say little more than one of them, so images drawn
alone would give intervals two to three times too narrow. An image that stands alone is a group;
"unit" is either. The same draw serves every seed and both sides of a comparison, because all of
them saw the same images (a paired bootstrap). Seeds are drawn beside them where there are several
(both ways at once: the pigeonhole bootstrap of Owen, Annals of Applied Statistics 2007).

Two intervals come out. The percentile interval is the 2.5 % and 97.5 % quantiles of the draws. It
is too narrow for few units and few seeds, since a resample varies too little then, and for
scores with rare failures it stays so for long: docs/metrics.md holds the measured coverage. The
interval that verdicts rest on therefore takes the standard error from the bootstrap, corrects it
for the number of units and seeds, and Student's t quantile for the degrees of freedom (Efron and
Tibshirani 1993, chapter 12; n / (n − 1) as in Hesterberg, The American Statistician 2015). These
are one less than the effective number of units, since a large group leaves the others little to
say: with groups of unequal size n − 1 covers down to 91 % where this covers 93 to 98.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from trainer.analysis.ratios import PixelCounts, Ratio, Sample, ratio_of
from trainer.analysis.score_table import headlines
from trainer.analysis.scores import Floats

RESAMPLES = 10_000
FEWEST_UNITS = 5
"""Below this number of groups, or images, nothing is told: one would decide it (ours)."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """The parts of a variance: what units, seeds and both together explain of it.

    They hold for the numbers ``units`` and ``seeds`` (the fewer of both sides) and shrink with
    them. What is particular to a unit under one seed is in ``by_units`` and ``by_seeds`` alike,
    and once more alone in ``by_both``. Without several seeds the last two are NaN.
    """

    units: int
    effective_units: float
    """How many units of one size would weigh as these do."""
    seeds: int
    by_units: float
    by_seeds: float = float("nan")
    by_both: float = float("nan")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A score or a difference, and how well it is known."""

    value: float
    low: float
    high: float
    """Bounds from the bootstrap's standard error and Student's t; NaN below `FEWEST_UNITS`."""
    percentile_low: float
    percentile_high: float
    """The plain quantiles of the draws."""
    standard_error: float
    degrees_of_freedom: float
    p_value: float
    """Two-sided, for the value 0; meaningful for a difference only."""
    level: float
    sample: Sample
    seeds: tuple[int, ...]
    """Number of seeds of the score, or of both sides of the difference."""
    over_seeds: bool
    """Whether seeds were resampled too: the interval is then about configurations, not models."""
    resamples: int
    shares: Shares

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
    """Return each score with its interval over groups of images, and over seeds if several.

    ``scores`` are keys of `trainer.analysis.score_table.SCORES`, the headline ones unless others
    are named, or ``dice/2``, ``iou/2`` for class 2.
    Bounds come from the logit of the score, so they lie within 0 and 1 and reach further to the
    side of failures that no image happened to show.
    """
    chosen = headlines(counts.kind) if scores is None else scores
    sides = {name: [(1, ratio_of(name, counts))] for name in chosen}
    found = intervals(sides, counts.sample, resamples=resamples, seed=seed, level=level)
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
    sides: Mapping[str, Sequence[Side]],
    sample: Sample,
    *,
    resamples: int,
    seed: int,
    level: float,
) -> dict[str, Interval]:
    """Return the interval of each sum of sides, all from the same draws of the units of a sample.

    Raises ``ValueError`` when a score is not of as many units.
    """
    random = np.random.default_rng(seed)
    units = {ratio.units for side in sides.values() for _, ratio in side}
    if units - {sample.units}:
        raise ValueError(f"{sample.unit}: {sorted(units)} differ in number; compare the same split")
    drawn: dict[str, list[list[Floats]]] = {
        name: [[] for _ in side] for name, side in sides.items()
    }
    for weights in _unit_weights(sample.units, resamples, random):
        for name, side in sides.items():
            for kept, (_, ratio) in zip(drawn[name], side, strict=True):
                kept.append(ratio.scores(weights))
    return {
        name: _interval(side, [np.concatenate(kept) for kept in drawn[name]], sample, random, level)
        for name, side in sides.items()
    }


def half_width(values: Floats, groups: Sequence[str] | None) -> float:
    """Return half of the 95 % interval of the mean of one value an image; NaN for a single unit.

    t × standard error over ``groups``, of each image its own; where each stands alone, that of
    a t-test.
    """
    if not values.size:
        return float("nan")
    mean = Ratio(values[None, :, None], np.ones((1, values.size, 1))).over(groups)
    if mean.units < 2:
        return float("nan")
    error = np.sqrt((mean.influence() ** 2).sum() / (mean.units * (mean.units - 1)))
    return t_quantile(0.95, max(1.0, mean.effective_units - 1)) * float(error)


def t_quantile(level: float, degrees_of_freedom: float) -> float:
    """Return t such that a share ``level`` of Student's distribution lies within ±t."""
    # Late, here and below: it takes longer to import than a page to be drawn.
    from scipy import stats

    return float(stats.t.ppf((1 + level) / 2, degrees_of_freedom))


def _unit_weights(units: int, resamples: int, random: np.random.Generator) -> Iterator[Floats]:
    """Yield how often each unit is drawn ``(block, units)``, in blocks that bound the memory."""
    block = max(1, 4_000_000 // units)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        # Drawing and counting is three times faster than asking for multinomial counts.
        drawn = random.integers(0, units, (size, units)) + units * np.arange(size)[:, None]
        counted = np.bincount(drawn.ravel(), minlength=size * units)
        yield counted.reshape(size, units).astype(np.float64)


def _interval(
    side: Sequence[Side],
    drawn: Sequence[Floats],
    sample: Sample,
    random: np.random.Generator,
    level: float,
) -> Interval:
    seeds = tuple(scores.shape[1] for scores in drawn)
    over_seeds = min(seeds) > 1
    of_all = [ratio.of_all() for _, ratio in side]
    signs = [sign for sign, _ in side]
    value = float(sum(sign * scores.mean() for sign, scores in zip(signs, of_all, strict=True)))
    means = sum(sign * scores.mean(axis=1) for sign, scores in zip(signs, drawn, strict=True))
    variance = _unit_variance(np.asarray(means), sample.units)
    shares = Shares(
        units=sample.units,
        effective_units=min(ratio.effective_units for _, ratio in side),
        seeds=min(seeds),
        by_units=variance,
    )
    freedom = max(1.0, shares.effective_units - 1)
    draws = np.asarray(means)
    if over_seeds:
        shares, freedom = _with_seeds(shares, side, of_all)
        variance = float(total_variance(shares.by_units, shares.by_seeds, shares.by_both))
        draws = _draw_seeds(signs, drawn, random)
    error = float(np.sqrt(variance))
    enough = sample.units >= FEWEST_UNITS
    half = t_quantile(level, freedom) * error if enough else float("nan")
    low, high = _quantiles(draws, level)
    return Interval(
        value=value,
        low=value - half,
        high=value + half,
        percentile_low=low,
        percentile_high=high,
        standard_error=error,
        degrees_of_freedom=freedom,
        p_value=_p_value(value, error, freedom) if enough else float("nan"),
        level=level,
        sample=sample,
        seeds=seeds,
        over_seeds=over_seeds,
        resamples=len(draws),
        shares=shares,
    )


def total_variance(by_units: ArrayLike, by_seeds: ArrayLike, by_both: ArrayLike) -> Floats:
    """Return the variance over units and seeds: what both shares hold is taken off once."""
    least = np.maximum(by_units, by_seeds)
    return np.maximum(least, np.add(by_units, by_seeds) - by_both)


def _unit_variance(means: Floats, units: int) -> float:
    """Return the variance that the choice of units explains.

    A bootstrap's variance is that of the sample with divisor n; n / (n − 1) undoes it.
    """
    if units < 2 or np.isnan(means).all():  # The score of a class that is nowhere.
        return float("nan")
    return float(np.nanvar(means)) * units / (units - 1)


def _with_seeds(
    shares: Shares, side: Sequence[Side], of_all: Sequence[Floats]
) -> tuple[Shares, float]:
    """Return the shares of the variance over units and seeds, and its degrees of freedom.

    What is particular to a unit under one seed is the two-way layout's interaction mean square, on
    influences. Degrees of freedom after Satterthwaite (1946).
    """
    units = shares.units
    of_sides = []
    by_both = 0.0
    for (_, ratio), scores in zip(side, of_all, strict=True):
        seeds = scores.size
        of_sides.append((float(scores.var(ddof=1)) / seeds, seeds - 1))
        influence = ratio.influence()
        rest = influence - influence.mean(axis=0)
        by_both += float((rest**2).sum()) / max((seeds - 1) * (units - 1), 1) / (seeds * units)
    by_seeds = sum(share for share, _ in of_sides)
    shares = replace(shares, by_seeds=by_seeds, by_both=by_both)
    parts = [(shares.by_units, max(1.0, shares.effective_units - 1)), *of_sides]
    spread = sum(share**2 / freedom for share, freedom in parts)
    total = float(total_variance(shares.by_units, by_seeds, by_both))
    return shares, max(1.0, total**2 / spread) if spread > 0 else 1.0


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
