"""Which runs are unstable, at which epochs, and under which hyperparameters."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from dashboard.curves.facts import epoch_table
from dashboard.store.cache import Curve
from trainer.analysis.dips import dips
from trainer.analysis.history import clean
from trainer.analysis.stability import STATISTICS, stability_table

RANKED_BY = (
    "max_drawdown",
    "long_term_risk",
    "short_term_risk",
    "dispersion",
    "dips",
    "longest_recovery",
    "checkpoint_luck",
)
LOW_IS_WORST = ("short_term_risk",)
MOST_VALUES, RANGES, DECADES = 10, 6, 20


def statistics(curves: Mapping[str, Curve], *, warmup: int = 0) -> pd.DataFrame:
    """Return every stability statistic of each run, one row a run; ``n`` is its epochs.

    Runs without a finite value past the warm-up are left out.
    """
    table = epoch_table(curves)
    if table.empty:
        return pd.DataFrame(columns=[*STATISTICS, "n", "max_drawdown_epoch"])
    measured = stability_table(table.to_numpy().T, epochs=table.index.to_numpy(), warmup=warmup)
    columns = [*STATISTICS, "n", "max_drawdown_epoch"]
    rows = pd.DataFrame({name: measured[name] for name in columns}, index=table.columns)
    return rows[rows["n"] > 0]


def ranked(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the runs by one statistic, the least stable first."""
    return rows.sort_values(by, ascending=by in LOW_IS_WORST, na_position="last", kind="stable")


def drawdown_map(curves: Mapping[str, Curve], run_ids: Sequence[str]) -> pd.DataFrame:
    """Return the drawdown of each run (rows, in the order given) at each epoch (columns).

    The drawdown is the distance from the best value so far; NaN where a run has no value.
    """
    table = epoch_table({run_id: curves[run_id] for run_id in run_ids})
    return (table.cummax() - table).T


def dip_places(curves: Mapping[str, Curve], run_ids: Sequence[str]) -> list[tuple[str, int]]:
    """Return the run and epoch of every dip."""
    found = []
    for run_id in run_ids:
        cleaned = clean(curves[run_id].steps, curves[run_id].values)
        found += [(run_id, dip.epoch) for dip in dips(cleaned.values, epochs=cleaned.steps)]
    return found


def by_parameter(
    rows: pd.DataFrame, params: pd.DataFrame, name: str, statistic: str
) -> pd.DataFrame:
    """Return ``value`` (number where all are), ``text`` and ``statistic`` of each run, sorted."""
    column = params[f"params.{name}"].reindex(rows.index)
    found = pd.DataFrame({"text": column, "statistic": rows[statistic]}).dropna()
    numbers = pd.to_numeric(found["text"], errors="coerce")
    is_number = len(found) > 0 and bool(numbers.notna().all())
    found["value"] = numbers if is_number else found["text"]
    return found.sort_values("value")


def crossed(
    rows: pd.DataFrame, params: pd.DataFrame, names: tuple[str, str], statistic: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the mean statistic and the number of runs for each pair of two parameters' values.

    Both frames have the first parameter's values as rows and the second's as columns, in order.
    """
    known = params.reindex(rows.index)
    found = pd.DataFrame({name: _ordered(known[f"params.{name}"]) for name in names})
    found["statistic"] = rows[statistic]
    found = found.dropna()
    cells = found.groupby(list(names), observed=True)["statistic"]
    return cells.mean().unstack(), cells.size().unstack()


def _ordered(values: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().sum() < values.notna().sum():
        return values
    return numbers if numbers.nunique() <= MOST_VALUES else _ranges(numbers)


def _ranges(numbers: pd.Series) -> pd.Series:
    # A search tries a value once; over ranges of equal width there is a mean to take.
    low, high = float(numbers.min()), float(numbers.max())
    by_decade = low > 0 and high / low >= DECADES
    edges = np.geomspace(low, high, RANGES + 1) if by_decade else np.linspace(low, high, RANGES + 1)
    named = [f"{a:.2g}–{b:.2g}" for a, b in pairwise(edges)]
    edges[0], edges[-1] = -np.inf, np.inf
    cut: pd.Series = pd.cut(numbers, edges.tolist(), labels=named, ordered=True)
    return cut
