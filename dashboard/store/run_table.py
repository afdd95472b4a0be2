"""The table of runs: which columns there are, what they hold, and groups of runs.

Pure functions of the frame that `trainer.tracking.reading.list_runs` returns.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
import pandas as pd

from dashboard.store.cache import Curve
from trainer.analysis.headline import STABILITY_TAG, stability_of
from trainer.analysis.score_table import SCORES
from trainer.analysis.stability import stability_table
from trainer.config import MACHINE_PARAMS, NOT_HYPERPARAMETERS
from trainer.evaluation.best_scores import is_open_ended, written_best
from trainer.evaluation.results import DIGEST
from trainer.tracking.reading import NO_TRAINING, SWEEP
from trainer.tracking.standing import seconds_taken

DICE, MIOU = SCORES["dice"], SCORES["miou"]
SPARKLINE_POINTS = 48
WHOLE = ("completed", "early-stopped", "finished")
"""States of runs that ended by themselves, the last one in another program's words."""
EMA_WEIGHT = 0.6
"""Weight of the past in the exponential moving average of the EMA-best score."""


class Column(NamedTuple):
    """How a column reads: its kind decides the format, ``help`` says what it is."""

    label: str
    kind: str
    help: str


COLUMNS: dict[str, Column] = {
    "name": Column("Run", "text", "The run's name"),
    "state": Column("State", "text", "How the run ended; running, or dead: its process is gone"),
    "experiment": Column("Experiment", "text", "MLflow experiment"),
    "sweep": Column("Sweep", "text", "The search that started the run"),
    "data": Column("Data", "text", "Data set: the last part of its path"),
    "headline": Column(
        "Headline",
        "text",
        "The metric that the run is judged by, what it monitored: Best, Last, EMA-best, MDD, dips "
        "and the curve are of it",
    ),
    "best": Column("Best", "score", "The headline at the run's best epoch"),
    "last": Column("Last", "score", "The headline of the last epoch"),
    "ema": Column(
        "EMA-best",
        "score",
        f"Highest exponential moving average (weight {EMA_WEIGHT} on the past), from the third "
        "epoch on: one lucky epoch does not reach it",
    ),
    "best_dice": Column(
        f"Best {DICE.label}", "score", f"Validation, at the run's best epoch: {DICE.definition}"
    ),
    "best_miou": Column(
        f"Best {MIOU.label}", "score", f"Validation, at the run's best epoch: {MIOU.definition}"
    ),
    "max_drawdown": Column(
        "MDD", "score", "Maximum drawdown: the deepest fall of the headline below its best so far"
    ),
    "dips": Column("Dips", "count", "Epochs that fell out of line (Hampel filter, more than 0.01)"),
    "curve": Column("Curve", "spark", "The headline of every epoch"),
    "epochs": Column("Epochs", "count", "Last epoch logged"),
    "minutes": Column("Minutes", "minutes", "From start to end, or until now"),
    "started": Column("Started", "age", "When the run started"),
    "note": Column("Note", "text", "The run's description in MLflow"),
    "reason": Column("Reason", "text", "Why the run failed or stopped, and how a dead one goes on"),
    "user": Column("User", "text", "Who ran it"),
}
DEFAULT_COLUMNS = (
    "name",
    "state",
    "headline",
    "best",
    "last",
    "best_miou",
    "max_drawdown",
    "dips",
    "curve",
    "epochs",
    "minutes",
    "started",
    "data",
    "sweep",
)


def overview(
    runs: pd.DataFrame, curves: Mapping[str, Curve] | None = None, *, now: pd.Timestamp
) -> pd.DataFrame:
    """Return one row a run with the columns of `COLUMNS`, and ``params.*``, in the order given.

    Scores come from what a run logged at its end; where it did not (it is running, was killed, or
    is another program's) from the curve of its headline in ``curves``, as do ``curve`` and
    ``ema``. ``now`` ends the duration of what has no end. What has no headline has no scores.
    """
    table = pd.DataFrame(index=runs.index)
    for name in ("name", "state", "experiment", "sweep", "data", "note", "reason", "user"):
        table[name] = runs[name].fillna("")
    # The run that stands for a whole search reads like one of its trials otherwise.
    of_sweep = runs["kind"] == SWEEP
    table["name"] = table["name"].mask(of_sweep, table["name"].astype(str) + " (sweep)")
    table["data"] = [PurePath(path).name for path in table["data"]]
    # No columns of the table: what is one data set, and what is no training.
    digest = runs.get(DIGEST, runs["data"])
    table["digest"] = digest.fillna(runs["data"]).fillna("")
    table["kind"] = runs["kind"]
    table["headline"] = runs["headline"]
    open_ended = is_open_ended(runs)
    table["best"], table["last"] = written_best(runs), np.nan
    for headline in runs["headline"].unique():
        table["last"] = table["last"].mask(runs["headline"] == headline, _metric(runs, headline))
    table["best_dice"] = _metric(runs, "best/val_dice").mask(open_ended)
    table["best_miou"] = _metric(runs, "best/val_miou").mask(open_ended)
    table["max_drawdown"] = _stability(runs, "max_drawdown")
    table["dips"] = _stability(runs, "dips")
    table["ema"] = np.nan
    table["curve"] = pd.Series([None] * len(runs), index=runs.index, dtype=object)
    table["epochs"] = runs["last_step"].where(runs["last_step"] > 0)
    table["minutes"] = seconds_taken(runs, now) / 60
    table["started"] = runs["started"]
    _fill_from_curves(table, curves or {})
    for column, headline in (("best_dice", "val/dice"), ("best_miou", "val/miou")):
        table[column] = table[column].mask(table["headline"] == headline, table["best"])
    params = [column for column in runs.columns if column.startswith("params.")]
    return pd.concat([table, runs[params]], axis=1)


def without_summary(runs: pd.DataFrame) -> list[str]:
    """Return the runs that logged their headline but not its statistics, written at the end."""
    pairs = zip(runs["headline"], runs["logged_metrics"], strict=True)
    logged = np.array([headline in keys for headline, keys in pairs], dtype=bool)
    return list(runs.index[logged & _stability(runs, "max_drawdown").isna().to_numpy()])


def differing_parameters(runs: pd.DataFrame, at_most: int = 6) -> list[str]:
    """Return the hyperparameters, without ``params.``, that take several values in these runs."""
    found = []
    for column in runs.columns:
        name = column.removeprefix("params.")
        if column == name or name in NOT_HYPERPARAMETERS or name in MACHINE_PARAMS:
            continue
        if runs[column].nunique() > 1:
            found.append(name)
    known = {name: place for place, name in enumerate(_FIRST)}
    return sorted(found, key=lambda name: (known.get(name, len(known)), name))[:at_most]


_FIRST = (
    "model",
    "lr",
    "batch_size",
    "kernel_size",
    "optimizer",
    "loss",
    "base_channels",
    "depth",
    "schedule",
    "augment",
    "image_size",
    "weight_decay",
)


def numeric_parameters(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with each ``params.*`` column of numbers as numbers, so that it sorts."""
    changed = {}
    for column in table.columns:
        if column.startswith("params."):
            values = pd.to_numeric(table[column], errors="coerce")
            if values.notna().sum() == table[column].notna().sum() and values.notna().any():
                changed[column] = values
    return table.assign(**changed)


def search(runs: pd.DataFrame, words: str) -> np.ndarray:
    """Return which runs hold every word in their name, id, note, data, sweep, tags or parameters.

    The result is ``(len(runs),)``; case does not matter.
    """
    found = np.ones(len(runs), dtype=bool)
    fields = ["name", "note", "data", "sweep", "experiment", "reason"]
    fields += [c for c in runs.columns if c.startswith(("params.", "tags."))]
    for word in words.lower().split():
        hit = runs.index.str.lower().str.contains(word, regex=False)
        for column in fields:
            hit = hit | runs[column].str.lower().str.contains(word, regex=False).fillna(False)
        found &= np.asarray(hit, dtype=bool)
    return found


def grouped(
    table: pd.DataFrame, by: Sequence[str], *, spread: str = "std"
) -> tuple[pd.DataFrame, list[str]]:
    """Return one row per combination of parameters, best first, and the score columns in it.

    Of the runs that `ran_to_their_end` alone. Runs of different headlines or data are never one
    group. Columns: ``headline``, ``data``, the parameters of ``by``, ``runs``, and for each score
    ``<score>`` (mean) and ``<score>_spread``, the sample standard deviation (``std``) or the
    inter-quartile range (``iqr``) over the runs, NaN for a single run. Runs without a score count
    in ``runs`` alone.
    """
    scores = ["best", "last", "best_dice", "best_miou", "max_drawdown", "dips"]
    columns = ["headline", "data", "digest", *(f"params.{name}" for name in by)]
    groups = table[ran_to_their_end(table)].groupby(columns, dropna=False, sort=False)
    rows = groups.size().rename("runs").to_frame()
    for name in scores:
        column = groups[name]
        rows[name] = column.mean()
        if spread == "iqr":
            wide = column.quantile(0.75) - column.quantile(0.25)
            rows[f"{name}_spread"] = wide.where(column.count() > 1)
        else:
            rows[f"{name}_spread"] = column.std(ddof=1)
    rows = rows.reset_index().rename(columns=dict(zip(columns[3:], by, strict=True)))
    rows["data"] = _told_apart(rows)
    rows = rows.drop(columns="digest")
    order = ["headline", "best"]
    return rows.sort_values(order, ascending=[True, False], na_position="last"), scores


def ran_to_their_end(table: pd.DataFrame) -> "pd.Series[bool]":
    """Return which rows of `overview` are trainings that nothing cut off: a mean may be of them."""
    return table["state"].isin(WHOLE) & ~table["kind"].isin(NO_TRAINING)


def _told_apart(groups: pd.DataFrame) -> list[str]:
    """Return the name of each group's data, with what tells it from others of that name."""
    digests = groups.groupby("data")["digest"].nunique()
    pairs = zip(groups["data"], groups["digest"], strict=True)
    return [name if digests[name] == 1 else f"{name} · {digest[:6]}" for name, digest in pairs]


def thinned(values: np.ndarray, points: int = SPARKLINE_POINTS) -> np.ndarray:
    """Return at most ``points`` values: the lowest and highest of each bucket, in their order.

    A fall of a single epoch is therefore always in it.
    """
    if values.size <= points:
        return values
    buckets = points // 2
    length = -(-values.size // buckets)
    # The last bucket is filled up with its own last value, which adds neither low nor high.
    padded = np.pad(values, (0, buckets * length - values.size), mode="edge")
    padded = padded.reshape(buckets, length)
    ends = np.stack([padded.argmin(axis=1), padded.argmax(axis=1)], axis=1)
    kept = np.sort(ends, axis=1) + length * np.arange(buckets)[:, None]
    thin: np.ndarray = values[np.unique(np.minimum(kept, values.size - 1))]
    return thin


def ema_best(curves: np.ndarray, weight: float = EMA_WEIGHT) -> np.ndarray:
    """Return the highest exponential moving average of each curve ``(runs, epochs)``: ``(runs,)``.

    NaN at a row's end is padding; the average is corrected for its start, as Adam's moments are.
    An average of one or two epochs is the luck of these, and counts only where there are no more.
    """
    best = np.full(len(curves), -np.inf)
    seen = np.zeros(len(curves), dtype=int)
    total, weights = np.zeros(len(curves)), np.zeros(len(curves))
    for column in curves.T:
        there = np.isfinite(column)
        total = np.where(there, weight * total + column, total)
        weights = np.where(there, weight * weights + 1, weights)
        seen += there
        average = total / np.maximum(weights, 1e-12)
        best = np.where(there, np.where(seen > 3, np.maximum(best, average), average), best)
    return np.where(np.isfinite(best), best, np.nan)


def _fill_from_curves(table: pd.DataFrame, curves: Mapping[str, Curve]) -> None:
    finite = {
        run_id: Curve(curve.steps[ok], curve.values[ok])
        for run_id, curve in curves.items()
        if run_id in table.index and (ok := np.isfinite(curve.values)).any()
    }
    if not finite:
        return
    ids = list(finite)
    padded = np.full((len(ids), max(finite[r].values.size for r in ids)), np.nan)
    for row, run_id in enumerate(ids):
        padded[row, : finite[run_id].values.size] = finite[run_id].values
    table.loc[ids, "curve"] = pd.Series([thinned(finite[r].values) for r in ids], index=ids)
    table.loc[ids, "ema"] = ema_best(padded)
    best = pd.Series(np.nanmax(padded, axis=1), index=ids)
    table.loc[ids, "best"] = table.loc[ids, "best"].fillna(best)
    lacking = table.loc[ids, "max_drawdown"].isna().to_numpy()
    open_ended = [run_id for run_id, lacks in zip(ids, lacking, strict=True) if lacks]
    if not open_ended:
        return
    measured = stability_table(padded[lacking])
    table.loc[open_ended, "max_drawdown"] = measured["max_drawdown"]
    table.loc[open_ended, "dips"] = measured["dips"]
    table.loc[open_ended, "last"] = [finite[r].values[-1] for r in open_ended]


def _stability(runs: pd.DataFrame, name: str) -> pd.Series:
    """Return a statistic of each run's headline; NaN where the run wrote none, or another's."""
    tag = f"tags.{STABILITY_TAG}"
    of = runs[tag].map(stability_of) if tag in runs else stability_of(None)
    old = is_open_ended(runs) | (runs["headline"] != of)
    return _metric(runs, f"stability/{name}").mask(old)


def _metric(runs: pd.DataFrame, key: str) -> pd.Series:
    column = f"metrics.{key}"
    if column in runs:
        return runs[column]
    return pd.Series(np.full(len(runs), np.nan), index=runs.index)
