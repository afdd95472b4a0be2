"""Measure how unstable a run was, from its per-epoch curve.

For a curve y_1 … y_n where higher is better (losses are negated): d_t = y_t − y_(t−1), the
running best P_t = max over i ≤ t of y_i, the drawdown D_t = P_t − y_t. The statistics follow
Chan et al., "Measuring the Reliability of Reinforcement Learning Algorithms", ICLR 2020
(arXiv 1912.05663), without its detrending and windows: a training run is short. What each key
means stands in `trainer.analysis.definitions`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer.analysis.dips import Dip, dips, epoch_numbers, find_dips, is_counted, row_medians
from trainer.analysis.history import History, is_finite, newest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STATISTICS = (
    "max_drawdown",
    "long_term_risk",
    "short_term_risk",
    "dispersion",
    "mean_abs_change",
    "dips",
    "longest_recovery",
    "unrecovered_dips",
    "checkpoint_luck",
)
"""Names under which a statistic is a field of `Stability`, and ``stability/…`` a metric key."""

COUNTS = ("n", "non_finite", "max_drawdown_epoch", "long_term_tail", "short_term_tail", "last_k")


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How unstable one curve was. A statistic that so short a curve does not have is NaN."""

    n: int
    """Epochs that count: finite and past the warm-up."""
    non_finite: int
    """Epochs past the warm-up that were left out because their value is no finite number."""
    warmup: int
    higher_is_better: bool
    max_drawdown: float
    max_drawdown_epoch: int
    """First epoch of the maximum drawdown; 0 when the curve never fell, as it cannot at step 0."""
    long_term_risk: float
    long_term_tail: int
    """Number of drawdowns averaged in ``long_term_risk``."""
    short_term_risk: float
    short_term_tail: int
    """Number of differences averaged in ``short_term_risk``."""
    dispersion: float
    mean_abs_change: float
    dips: float
    longest_recovery: float
    """In epochs; a lower bound where ``unrecovered_dips`` is above 0."""
    unrecovered_dips: float
    checkpoint_luck: float
    last_k: int
    """Number of last epochs whose median ``checkpoint_luck`` compares the best with."""
    dip_list: tuple[Dip, ...]

    def to_metrics(self) -> dict[str, float]:
        """Return the statistics under their metric keys, ``stability/max_drawdown`` and so on."""
        return {f"stability/{name}": float(getattr(self, name)) for name in STATISTICS}


def of_history(logged: History, *, warmup: int = 0, higher_is_better: bool = True) -> Stability:
    """Return every stability statistic of a metric as it was logged, gaps and repeats included.

    Epochs keep the numbers that they were logged under, and of a repeated one the newest counts.
    """
    steps, values = newest(*logged)
    return stability(values, epochs=steps, warmup=warmup, higher_is_better=higher_is_better)


def stability(
    values: ArrayLike,
    *,
    epochs: ArrayLike | None = None,
    warmup: int = 0,
    higher_is_better: bool = True,
) -> Stability:
    """Return every stability statistic of one curve.

    ``values`` is ``(epochs,)``, the full history in order; ``epochs`` are the numbers of the
    epochs, from 1 when left out. Non-finite values are counted and left out; of the rest nothing
    is, unless a ``warmup`` is declared: epochs up to that number then do not count at all.
    Give ``higher_is_better=False`` for a loss. Curves of 0, 1 or 2 epochs are no error.
    """
    levels = np.asarray(values, dtype=np.float64).reshape(1, -1)
    table = stability_table(levels, epochs=epochs, warmup=warmup, higher_is_better=higher_is_better)
    numbers = epoch_numbers(levels.size, epochs)
    counts = {name: int(table[name][0]) for name in COUNTS}
    # In a single curve every missing value was logged as such; in a table it is padding.
    counts["non_finite"] = int((~is_finite(levels[0]) & is_counted(numbers, warmup)).sum())
    found = dips(levels, epochs=epochs, warmup=warmup, higher_is_better=higher_is_better)
    statistics = {name: float(table[name][0]) for name in STATISTICS}
    return Stability(
        warmup=warmup,
        higher_is_better=higher_is_better,
        dip_list=found,
        **counts,
        **statistics,  # type: ignore[arg-type]
    )


def stability_table(
    curves: ArrayLike,
    *,
    epochs: ArrayLike | None = None,
    warmup: int = 0,
    higher_is_better: bool = True,
) -> dict[str, NDArray[np.float64]]:
    """Return the statistics of many curves at once, each ``(runs,)``.

    ``curves`` is ``(runs, epochs)``, one column an epoch, NaN where a run has no value. The keys
    are the fields of `Stability`, statistics and counts, without ``dip_list``; ``non_finite``
    counts infinities only, because here NaN is padding.
    """
    levels = np.asarray(curves, dtype=np.float64)
    if levels.ndim != 2:
        raise ValueError(f"curves: shape {levels.shape} is not (runs, epochs)")
    numbers = epoch_numbers(levels.shape[1], epochs)
    counted = is_counted(numbers, warmup)
    levels, numbers = levels[:, counted], numbers[counted]
    table = {name: np.full(len(levels), np.nan) for name in (*STATISTICS, *COUNTS)}
    table["non_finite"] = (~is_finite(levels) & ~np.isnan(levels)).sum(axis=1).astype(np.float64)
    for rows, kept, kept_numbers in _by_length(levels, numbers):
        y = kept if higher_is_better else -kept
        for name, column in _statistics(y, kept_numbers).items():
            table[name][rows] = column
    return table


def _by_length(levels: Floats, numbers: Ints) -> Iterator[tuple[Ints, Floats, Ints]]:
    """Yield the rows of each number of finite values: rows, their values, their epochs' numbers.

    A group has no gaps, so every statistic of it is a plain reduction along an axis.
    """
    finite = is_finite(levels)
    lengths = finite.sum(axis=1)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        _, columns = np.nonzero(finite[rows])
        kept = columns.reshape(rows.size, length)
        yield rows, levels[rows[:, None], kept], numbers[kept]


def _statistics(y: Floats, numbers: Ints) -> dict[str, Floats | Ints]:
    """Return every statistic of ``y (runs, n)``: finite, higher is better."""
    runs, n = y.shape
    counts = {
        "n": np.full(runs, n),
        "long_term_tail": np.full(runs, tail_count(n)),
        "short_term_tail": np.full(runs, tail_count(n - 1)),
        "last_k": np.full(runs, _last_k(n)),
        "max_drawdown_epoch": np.zeros(runs, dtype=np.int64),
    }
    result: dict[str, Floats | Ints] = {**counts}
    if n >= 1:
        result |= _of_drawdowns(y, numbers) | _of_dips(y, numbers)
    if n >= 2:
        result |= _of_differences(np.diff(y, axis=1))
    if n >= 3:
        result["checkpoint_luck"] = y.max(axis=1) - row_medians(y[:, -_last_k(n) :])
    return result


def _of_drawdowns(y: Floats, numbers: Ints) -> dict[str, Floats | Ints]:
    drawdown = np.maximum.accumulate(y, axis=1) - y
    worst = drawdown.argmax(axis=1)[:, None]
    largest = np.take_along_axis(drawdown, worst, axis=1)[:, 0]
    epoch = np.take_along_axis(numbers, worst, axis=1)[:, 0]
    tail = np.sort(drawdown, axis=1)[:, -tail_count(y.shape[1]) :]
    return {
        "max_drawdown": largest,
        "max_drawdown_epoch": np.where(largest > 0, epoch, 0),
        "long_term_risk": tail.mean(axis=1),
    }


def _of_differences(change: Floats) -> dict[str, Floats | Ints]:
    low, high = np.quantile(change, [0.25, 0.75], axis=1)
    return {
        "short_term_risk": np.sort(change, axis=1)[:, : tail_count(change.shape[1])].mean(axis=1),
        "dispersion": high - low,
        "mean_abs_change": np.abs(change).mean(axis=1),
    }


def _of_dips(y: Floats, numbers: Ints) -> dict[str, Floats | Ints]:
    found = find_dips(y)
    runs = len(y)
    unrecovered = found.recovered < 0
    # An unrecovered dip recovers after the last epoch at the earliest: a lower bound that ranks.
    until = np.where(unrecovered, numbers[found.rows, -1] + 1, numbers[found.rows, found.recovered])
    longest = np.zeros(runs, dtype=np.int64)
    np.maximum.at(longest, found.rows, until - numbers[found.rows, found.columns])
    return {
        "dips": np.bincount(found.rows, minlength=runs),
        "unrecovered_dips": np.bincount(found.rows[unrecovered], minlength=runs),
        "longest_recovery": longest,
    }


def tail_count(n: int) -> int:
    """Return how many of ``n`` values make the 5 % tail: whole ones, at least one if any."""
    return min(n, max(1, n // 20)) if n > 0 else 0


def _last_k(n: int) -> int:
    return max(3, n // 5) if n >= 3 else 0
