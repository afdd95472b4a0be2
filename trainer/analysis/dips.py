"""Find where a curve fell, out of line or furthest, and when it came back."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from trainer.analysis.history import is_finite

HALF_WINDOW = 5
"""Epochs on each side of the Hampel filter's window."""
HAMPEL_CUTOFF = 3.0
"""Flagged beyond this many robust standard deviations: the customary three-sigma edit rule."""
MAD_TO_SIGMA = 1.4826
"""Makes the median absolute deviation estimate a normal standard deviation."""
DIP_DRAWDOWN = 0.01
"""A dip must also lie this far below the best so far (ours): smaller ones change no choice."""
RECOVERY_MARGIN = 0.005
"""A dip is over when the curve is back within this of its earlier best (ours)."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Dip:
    """One epoch at which a curve had fallen; levels are in the curve's own unit."""

    epoch: int
    drawdown: float
    """Distance from the best value before, above 0."""
    level: float
    previous_best: float
    recovered_at: int | None
    """First later epoch within 0.005 of the earlier best; None when there is none."""

    @property
    def recovery(self) -> int | None:
        """Epochs from the dip to its recovery."""
        return None if self.recovered_at is None else self.recovered_at - self.epoch


class Flagged(NamedTuple):
    """Dips of many curves at once, as positions; ordered by row, then column."""

    rows: Ints
    columns: Ints
    recovered: Ints
    """Column of the recovery, −1 when there is none."""


def dips(
    values: ArrayLike,
    *,
    epochs: ArrayLike | None = None,
    warmup: int = 0,
    higher_is_better: bool = True,
) -> tuple[Dip, ...]:
    """Return the dips of one curve, in order.

    ``values`` is ``(epochs,)``; ``epochs`` are their numbers, ascending, from 1 when left out.
    A dip is an epoch that the Hampel filter flags as low (window of 5 epochs on each side, cut off
    at the ends, median − y > 3 × 1.4826 × MAD) and that lies more than 0.01 below the best so far.
    The filter is repeated without the epochs that it has flagged until it flags no more, so that
    the neighbours in a trough do not hide each other. Non-finite values are left out, and epochs
    up to the number ``warmup`` where one is declared.
    """
    levels = np.asarray(values, dtype=np.float64).ravel()
    numbers = epoch_numbers(levels.size, epochs)
    kept = is_finite(levels) & is_counted(numbers, warmup)
    sign = 1 if higher_is_better else -1
    y, numbers = sign * levels[kept], numbers[kept]
    return _described(y, numbers, sign, find_dips(y[None]))


def deepest_fall(
    values: ArrayLike, *, epochs: ArrayLike | None = None, higher_is_better: bool = True
) -> Dip | None:
    """Return the epoch that lies furthest below the best before it; None where none does.

    It is where the maximum drawdown is, and need not be out of line: the filter of `dips` takes a
    fall among the steep first epochs for part of their slope. Arguments as in `dips`.
    """
    levels = np.asarray(values, dtype=np.float64).ravel()
    numbers = epoch_numbers(levels.size, epochs)
    kept = is_finite(levels)
    sign = 1 if higher_is_better else -1
    y, numbers = sign * levels[kept], numbers[kept]
    drawdown = np.maximum.accumulate(y) - y
    if not drawdown.max(initial=0) > 0:
        return None
    at, row = np.array([drawdown.argmax()]), np.array([0])
    goal = y[at] + drawdown[at] - RECOVERY_MARGIN
    found = Flagged(row, at, _first_reaching(y[None], row, at, goal))
    return _described(y, numbers, sign, found)[0]


def _described(y: Floats, numbers: Ints, sign: int, found: Flagged) -> tuple[Dip, ...]:
    """Return what was found on one curve ``y``, which is ``sign`` times its levels."""
    best = np.maximum.accumulate(y)
    return tuple(
        Dip(
            epoch=int(numbers[at]),
            drawdown=float(best[at] - y[at]),
            level=float(sign * y[at]),
            previous_best=float(sign * best[at]),
            recovered_at=None if back < 0 else int(numbers[back]),
        )
        for at, back in zip(found.columns, found.recovered, strict=True)
    )


def epoch_numbers(count: int, epochs: ArrayLike | None) -> Ints:
    """Return the numbers of ``count`` epochs, counted from 1 where none are given."""
    if epochs is None:
        return np.arange(1, count + 1)
    numbers = np.asarray(epochs, dtype=np.int64).ravel()
    if numbers.size != count:
        raise ValueError(f"epochs: {numbers.size} numbers for {count} values; give one each")
    if (np.diff(numbers) <= 0).any():
        raise ValueError("epochs: must ascend, each once; clean the history first")
    return numbers


def is_counted(numbers: Ints, warmup: int) -> NDArray[np.bool_]:
    """Return which epochs count: all of them, step 0 too, unless a warm-up is declared."""
    return (numbers > warmup) | (warmup == 0)


def find_dips(y: Floats) -> Flagged:
    """Return the dips of ``y (runs, epochs)``: finite throughout, higher is better."""
    if y.shape[1] == 0:
        none = np.empty(0, dtype=np.int64)
        return Flagged(none, none, none)
    best = np.maximum.accumulate(y, axis=1)
    # Only these can be dips, so the filter's medians are taken here alone: on real curves few.
    rows, columns = np.nonzero(best - y > DIP_DRAWDOWN)
    out_of_line = _out_of_line(y, rows, columns)
    rows, columns = rows[out_of_line], columns[out_of_line]
    goal = best[rows, columns] - RECOVERY_MARGIN
    return Flagged(rows, columns, _first_reaching(y, rows, columns, goal))


def _out_of_line(y: Floats, rows: Ints, columns: Ints) -> NDArray[np.bool_]:
    """Return which of the points ``(rows, columns)`` the repeated Hampel filter flags."""
    flags = _hampel(y, rows, columns)
    added = flags
    while added.any():
        affected = np.zeros(len(y), dtype=bool)
        affected[rows[added]] = True
        left = np.flatnonzero(affected[rows] & ~flags)
        others = y.copy()
        others[rows[flags], columns[flags]] = np.nan
        added = np.zeros_like(flags)
        added[left] = _hampel(others, rows[left], columns[left])
        flags = flags | added
    return flags


def _hampel(y: Floats, rows: Ints, columns: Ints) -> NDArray[np.bool_]:
    """Return which of the points the Hampel filter flags as low; a NaN of ``y`` is no neighbour."""
    flags = np.zeros(rows.size, dtype=bool)
    last = y.shape[1] - 1
    whole = (columns >= HALF_WINDOW) & (columns <= last - HALF_WINDOW)
    if whole.any():
        windows = sliding_window_view(y, 2 * HALF_WINDOW + 1, axis=1)
        points = np.flatnonzero(whole)
        # In blocks, so that a gathered window stays in the processor's cache.
        for block in np.array_split(points, points.size // 8192 + 1):
            around = windows[rows[block], columns[block] - HALF_WINDOW]
            flags[block] = _outlying(around, y[rows[block], columns[block]])
    for column in np.unique(columns[~whole]):
        points = np.flatnonzero(columns == column)
        around = y[rows[points], max(0, column - HALF_WINDOW) : column + HALF_WINDOW + 1]
        flags[points] = _outlying(around, y[rows[points], column])
    return flags


def _outlying(windows: Floats, centre: Floats) -> NDArray[np.bool_]:
    median = row_medians(windows)
    deviation = row_medians(np.abs(windows - median[:, None]))
    return median - centre > HAMPEL_CUTOFF * MAD_TO_SIGMA * deviation


def row_medians(values: Floats) -> Floats:
    """Return the median of each row, NaN left out; without any three times faster than numpy's."""
    if np.isnan(values).any():
        medians: Floats = np.nanmedian(values, axis=1)
        return medians
    middle = values.shape[1] // 2
    if values.shape[1] % 2:
        return np.partition(values, middle, axis=1)[:, middle]
    parted = np.partition(values, (middle - 1, middle), axis=1)
    return (parted[:, middle - 1] + parted[:, middle]) / 2


def _first_reaching(y: Floats, rows: Ints, columns: Ints, goal: Floats) -> Ints:
    """Return the first column after each point at which ``y`` reaches ``goal``, else −1."""
    recovered = np.full(rows.size, -1)
    after = np.arange(y.shape[1])
    # Blocks bound the memory: a long, restless curve has many dips times many epochs.
    for block in np.array_split(np.arange(rows.size), rows.size * y.shape[1] // 4_000_000 + 1):
        reached = (y[rows[block]] >= goal[block, None]) & (after > columns[block, None])
        recovered[block] = np.where(reached.any(axis=1), reached.argmax(axis=1), -1)
    return recovered
