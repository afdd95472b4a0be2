"""The headline score of runs at their best."""

import numpy as np
import pandas as pd

from trainer.tracking.reading import histories
from trainer.tracking.standing import UNFINISHED


def is_open_ended(runs: pd.DataFrame) -> "pd.Series[bool]":
    """Return which runs go on or were interrupted: what they wrote at an earlier end is old."""
    return runs["status"].isin(UNFINISHED) | (runs["outcome"] == "interrupted")


def written_best(runs: pd.DataFrame) -> "pd.Series[float]":
    """Return the best headline that each run wrote at its end; NaN where it wrote none."""
    best = pd.Series(np.nan, index=runs.index)
    for headline in runs["headline"].unique():
        column = f"metrics.best/{headline.replace('/', '_')}"
        if column in runs:
            best = best.mask(runs["headline"] == headline, runs[column])
    return best.mask(is_open_ended(runs))


def best_scores(runs: pd.DataFrame) -> "pd.Series[float]":
    """Return each run's headline at its best, of its curve where it did not write it.

    Read in one go; NaN for a run that has no headline or never logged a finite one.
    """
    best = written_best(runs)
    lacking = runs[best.isna() & (runs["headline"] != "")]
    if lacking.empty:
        return best
    logged = histories(lacking.index, lacking["headline"].unique())
    own = logged["metric"].astype(str) == logged["run_id"].map(lacking["headline"]).astype(str)
    finite = logged[own & np.isfinite(logged["value"])]
    return best.fillna(finite.groupby("run_id", observed=True)["value"].max())
