"""Measure how far the repeats of one configuration lie apart at each epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer.analysis.bootstrap import half_width
from trainer.analysis.history import is_finite
from trainer.analysis.stability import tail_count
from trainer.wording import counted, measured


@dataclass(frozen=True, kw_only=True)
class AcrossSeeds:
    """Spread over seeds; each array is ``(epochs,)``, NaN where no seed has a value."""

    dispersion: NDArray[np.float64]
    """Dispersion across runs (DR): inter-quartile range."""
    risk: NDArray[np.float64]
    """Risk across runs (RR): mean of the worst 5 %, as a level of the curve."""
    seeds: NDArray[np.int64]
    """Number of seeds that have a value."""
    risk_is_worst_seed: NDArray[np.bool_]
    """Whether fewer than 20 seeds make RR simply the worst of them."""


def conclusion(scores: Sequence[float]) -> list[str]:
    """Return in words what the scores of runs that differ in their seed alone allow to conclude.

    Their mean ± standard deviation (with n - 1), and how well that tells the mean over all seeds:
    t times the standard error, as of independent and normal scores.
    """
    known = np.array([score for score in scores if np.isfinite(score)])
    if known.size < 2:
        return [f"is known of {counted(known.size, 'seed')}: nothing can be said of their spread"]
    spread = known.std(ddof=1)
    told = [
        f"{measured(known.mean(), spread)} (mean ± standard deviation, n = {known.size}; "
        f"{measured(known.min())} to {measured(known.max())})"
    ]
    half = half_width(known, None)
    within = f"over all seeds is known to ± {half:.2g} (95 %) on these images"
    told.append(f"{within}; a smaller difference from another configuration may be the seeds'")
    if known.size == 2:  # Student's t is 12.7, three times that of three seeds.
        told[-1] += ": two tell little, --seeds 5 more"
    return told


def across_seeds(curves: ArrayLike, *, higher_is_better: bool = True) -> AcrossSeeds:
    """Return the dispersion and the risk across runs at each epoch.

    ``curves`` is ``(seeds, epochs)``, NaN where a seed stopped earlier or has no finite value.
    Chan et al., ICLR 2020 (arXiv 1912.05663), DR and RR.
    """
    levels = np.asarray(curves, dtype=np.float64)
    if levels.ndim != 2:
        raise ValueError(f"curves: shape {levels.shape} is not (seeds, epochs)")
    finite = is_finite(levels)
    seeds = finite.sum(axis=0)
    dispersion = np.full(levels.shape[1], np.nan)
    risk = np.full(levels.shape[1], np.nan)
    for epoch in np.flatnonzero(seeds):
        ordered = np.sort(levels[finite[:, epoch], epoch])
        low, high = np.quantile(ordered, [0.25, 0.75])
        dispersion[epoch] = high - low
        worst_first = ordered if higher_is_better else ordered[::-1]
        risk[epoch] = worst_first[: tail_count(ordered.size)].mean()
    return AcrossSeeds(
        dispersion=dispersion,
        risk=risk,
        seeds=seeds,
        risk_is_worst_seed=(seeds > 0) & (seeds < 20),
    )
