"""The trials of a sweep as a table: from its study, from the runs in the store, or both.

A study knows every trial, the store what each run scored; a study that lies on another machine
leaves the store's half. Nothing here knows Optuna or Streamlit.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dashboard.store.run_table import differing_parameters
from sweeps.storages import TAG
from sweeps.trials import (
    COMPLETE,
    CUT_SHORT,
    FAILED,
    PRUNED,
    RUNNING,
    STOPPED,
    Parameter,
    SweepRead,
    trials_table,
)
from trainer.tracking.standing import DEAD, UNFINISHED

_RANGE = re.compile(r"\S+ to \S+?(, log|, step \S+)?")
_OF_OUTCOME = {
    "completed": COMPLETE,
    "early-stopped": COMPLETE,
    "pruned": PRUNED,
    "failed": FAILED,
    "interrupted": CUT_SHORT,
}


def with_measures(trials: pd.DataFrame, overview: pd.DataFrame) -> pd.DataFrame:
    """Return the trials with what their runs measured, from `run_table.overview`.

    Maximum drawdown and best mIoU are means over a trial's runs, the minutes their sum; NaN where
    no run says it.
    """
    pairs = trials["run_ids"].explode().dropna()
    columns = ["max_drawdown", "best_miou", "minutes"]
    found = overview[columns].reindex(pd.Index(pairs, dtype=object)).set_index(pairs.index)
    by_trial = found.groupby(level=0)
    means = by_trial[["max_drawdown", "best_miou"]].mean()
    minutes = by_trial["minutes"].sum(min_count=1)
    return trials.join(means).join(minutes)


def with_runs_of(trials: pd.DataFrame, runs: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """Return the trials with the runs that carry the sweep's tags: those that train name none yet.

    ``run_id`` stays the trial's best run where the study names one.
    """
    tagged = _by_trial(runs, sweep)
    ids: list[list[str]] = []
    for number, known in zip(trials.index, trials["run_ids"], strict=True):
        ids.append(list(known or (tagged[number].index if number in tagged else ())))
    best = [b or (own[0] if own else None) for b, own in zip(trials["run_id"], ids, strict=True)]
    return trials.assign(
        run_ids=pd.Series(ids, index=trials.index, dtype=object),
        run_id=pd.Series(best, index=trials.index, dtype=object),
    )


def from_runs(runs: pd.DataFrame, sweep: str) -> SweepRead:
    """Return what the store alone knows of a sweep; ``trials`` is empty when it knows nothing."""
    parents = runs[(runs["sweep"] == sweep) & (runs["kind"] == "sweep")]
    said = parents.iloc[0] if len(parents) else pd.Series(dtype=object)
    metric = _text(said.get("params.metric")) or "val/dice"
    by_trial = _by_trial(runs, sweep)
    children = pd.concat(by_trial.values()) if by_trial else runs.iloc[:0]
    parameters = tuple(_parameters(said, children))
    rows = [_trial_of_runs(n, own, metric, parameters) for n, own in sorted(by_trial.items())]
    epochs = _text(said.get("params.epochs"))
    return SweepRead(
        name=sweep,
        metric=metric,
        total=None,
        from_study=False,
        parameters=parameters,
        seeds=int(_text(said.get("params.seeds")) or 1),
        epochs=int(epochs) if epochs else None,
        sampler=_text(said.get("params.sampler")),
        pruner=_text(said.get("params.pruner")),
        description=_text(said.get("note")),
        parent_run_id=None if parents.empty else str(parents.index[0]),
        trials=trials_table(rows, [p.name for p in parameters]),
    )


def names(runs: pd.DataFrame) -> list[str]:
    """Return the sweeps that the runs in the store tell of, the one begun last first."""
    tagged = runs[runs["sweep"].notna() & (runs["sweep"] != "")]
    begun = tagged.groupby("sweep")["started"].min().sort_values(ascending=False, kind="stable")
    return [str(name) for name in begun.index]


def storage(runs: pd.DataFrame, sweep: str) -> str:
    """Return where the store notes that a sweep's study is kept; empty where it notes nothing."""
    noted = runs.get(f"tags.{TAG}", pd.Series(index=runs.index, dtype=object))
    own = noted[(runs["sweep"] == sweep) & (runs["kind"] == "sweep")]
    return _text(own.iloc[0]) if len(own) else ""


def _by_trial(runs: pd.DataFrame, sweep: str) -> dict[int, pd.DataFrame]:
    own = runs[(runs["sweep"] == sweep) & (runs["kind"] != "sweep")]
    own = own[own["trial"].fillna("").str.fullmatch(r"\d+")].sort_values("started", kind="stable")
    return {int(number): of_trial for number, of_trial in own.groupby(own["trial"].astype(str))}


def _trial_of_runs(
    number: int, runs: pd.DataFrame, metric: str, parameters: Sequence[Parameter]
) -> dict[str, Any]:
    states = [_state(row) for _, row in runs.iterrows()]
    state = next(
        (s for s in (RUNNING, STOPPED, FAILED, PRUNED, CUT_SHORT) if s in states), COMPLETE
    )
    key = f"metrics.best/{metric.replace('/', '_')}"
    scores = runs[key].astype(float) if key in runs else pd.Series(np.nan, runs.index)
    reason = next((r for r in runs["reason"] if isinstance(r, str) and r), None)
    best = scores.idxmax() if scores.notna().any() else runs.index[0]
    return {
        "number": number,
        "state": state,
        "run_ids": list(runs.index),
        "run_id": str(best),
        "value": scores.mean() if state == COMPLETE else None,
        "reached": scores.max(),
        "epochs": runs["last_step"].sum(),
        "reason": reason,
        "started": runs["started"].min(),
        "ended": None if state == RUNNING else runs["ended"].max(),
        "params": {p.name: _value(runs.iloc[0].get(p.column)) for p in parameters},
    }


def _state(row: Any) -> str:
    if row["status"] in UNFINISHED:
        return STOPPED if row["state"] == DEAD else RUNNING
    return _OF_OUTCOME.get(row["outcome"], COMPLETE if row["status"] == "FINISHED" else FAILED)


def _parameters(parent: Any, children: pd.DataFrame) -> Iterator[Parameter]:
    """Yield what the parent run says was searched; without it, what differs between the trials."""
    space = {
        str(key).removeprefix("params.space."): text
        for key, text in parent.items()
        if str(key).startswith("params.space.") and isinstance(text, str)
    }
    if not space:
        space = dict.fromkeys(differing_parameters(children, at_most=8), "")
    for name, text in space.items():
        if text and not _RANGE.fullmatch(text):
            yield Parameter(name=name, choices=tuple(_value(v) for v in text.split(", ")))
            continue
        values = [_value(v) for v in children.get(f"params.{name}", pd.Series(dtype=object))]
        if all(isinstance(v, int | float) for v in values if v is not None):
            yield Parameter(name=name, log=text.endswith(", log"))
        else:
            drawn = dict.fromkeys(v for v in values if v is not None)
            yield Parameter(name=name, choices=tuple(sorted(drawn, key=str)))


def _value(text: Any) -> Any:
    """Return a logged parameter as the number that it reads as, else as text."""
    if not isinstance(text, str):
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
