"""The trials of a sweep as a table: from its study, from the runs in the store, or both.

A study knows every trial, the store what each run scored; a study that lies on another machine
leaves the store's half. Nothing here knows Optuna or Streamlit.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dashboard.run_table import differing_parameters
from trainer.tracking.reading import UNFINISHED

COMPLETE, PRUNED, FAILED, RUNNING = "complete", "pruned", "failed", "running"
WAITING, CUT_SHORT, STOPPED = "waiting", "cut short", "stopped"
STATES = (COMPLETE, PRUNED, FAILED, RUNNING, STOPPED, CUT_SHORT, WAITING)
ENDED = (COMPLETE, PRUNED, FAILED)

COLUMNS = ("state", "value", "reached", "epochs", "planned", "run_ids", "run_id", "reason",
           "started", "ended")  # fmt: skip
"""Of a table of trials, indexed by ``number``; ``params.*`` follow. ``value`` is the score of a
complete trial, ``reached`` the best score reported, however the trial ended."""
MEASURED = ("max_drawdown", "minutes", "best_miou")
"""What `with_measures` adds, each the mean over a trial's runs; the minutes are their sum."""

_RANGE = re.compile(r"\S+ to \S+?(, log|, step \S+)?")
_OF_OUTCOME = {
    "completed": COMPLETE, "early-stopped": COMPLETE, "pruned": PRUNED, "failed": FAILED,
    "interrupted": CUT_SHORT,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A field that a sweep searches; ``choices`` is None for a range of numbers.

    ``low`` and ``high`` are the range's ends, None where they are not known.
    """

    name: str
    log: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] | None = None

    @property
    def column(self) -> str:
        """The column of a table of trials that holds it."""
        return f"params.{self.name}"


@dataclass(frozen=True, kw_only=True)
class SweepRead:
    """A sweep as it stands; ``trials`` has `COLUMNS`, a column per parameter and `MEASURED`."""

    name: str
    metric: str
    total: int | None
    seeds: int
    epochs: int | None
    sampler: str
    pruner: str
    description: str
    parent_run_id: str | None
    from_study: bool
    parameters: tuple[Parameter, ...]
    trials: pd.DataFrame

    @property
    def counts(self) -> dict[str, int]:
        """How many trials are in each state that occurs, in the order of `STATES`."""
        found = self.trials["state"].value_counts()
        return {state: int(found[state]) for state in STATES if state in found}

    @property
    def best(self) -> int | None:
        """The number of the complete trial with the highest score, the earliest of equals."""
        values = self.trials["value"].dropna()
        return None if values.empty else int(values.index.to_numpy()[values.to_numpy().argmax()])


def trials_table(rows: Sequence[Mapping[str, Any]], parameters: Sequence[str]) -> pd.DataFrame:
    """Return rows (``number``, what `COLUMNS` names, ``params``) as a table of trials."""
    table = pd.DataFrame(index=pd.Index([row["number"] for row in rows], name="number", dtype=int))
    for column in ("value", "reached", "epochs", "planned"):
        table[column] = np.array([_number(row.get(column)) for row in rows], dtype=float)
    for column in ("started", "ended"):
        table[column] = pd.to_datetime(
            pd.Series([row.get(column) for row in rows], index=table.index, dtype=object), utc=True
        )
    for column in ("state", "run_ids", "run_id", "reason"):
        table[column] = pd.Series(
            [row.get(column) for row in rows], index=table.index, dtype=object
        )
    table = table[list(COLUMNS)]
    for name in parameters:
        values = [row["params"].get(name) for row in rows]
        table[f"params.{name}"] = pd.Series(values, index=table.index, dtype=object)
    return table


def with_measures(trials: pd.DataFrame, overview: pd.DataFrame) -> pd.DataFrame:
    """Return the trials with `MEASURED` from `run_table.overview`; NaN where no run says it."""
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
        name=sweep, metric=metric, total=None, from_study=False, parameters=parameters,
        seeds=int(_text(said.get("params.seeds")) or 1), epochs=int(epochs) if epochs else None,
        sampler=_text(said.get("params.sampler")), pruner=_text(said.get("params.pruner")),
        description=_text(said.get("note")),
        parent_run_id=None if parents.empty else str(parents.index[0]),
        trials=trials_table(rows, [p.name for p in parameters]),
    )  # fmt: skip


def names(runs: pd.DataFrame) -> list[str]:
    """Return the sweeps that the runs in the store tell of, the one begun last first."""
    tagged = runs[runs["sweep"].notna() & (runs["sweep"] != "")]
    begun = tagged.groupby("sweep")["started"].min().sort_values(ascending=False, kind="stable")
    return [str(name) for name in begun.index]


def numeric(trials: pd.DataFrame, parameter: Parameter) -> bool:
    """Return whether a parameter's values lie on an axis of numbers."""
    if parameter.choices is not None:
        return False
    values = trials[parameter.column].dropna()
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def categories(trials: pd.DataFrame, parameter: Parameter) -> list[Any]:
    """Return the values of a parameter as ticks: its choices in their order, else those drawn."""
    drawn = list(dict.fromkeys(trials[parameter.column].dropna()))
    if parameter.choices is None:
        return sorted(drawn, key=str)
    return [*parameter.choices, *(v for v in drawn if v not in parameter.choices)]


def _by_trial(runs: pd.DataFrame, sweep: str) -> dict[int, pd.DataFrame]:
    own = runs[(runs["sweep"] == sweep) & (runs["kind"] != "sweep")]
    own = own[own["trial"].fillna("").str.fullmatch(r"\d+")].sort_values("started", kind="stable")
    return {int(number): of_trial for number, of_trial in own.groupby(own["trial"].astype(str))}


def _trial_of_runs(
    number: int, runs: pd.DataFrame, metric: str, parameters: Sequence[Parameter]
) -> dict[str, Any]:
    states = [_state(row) for _, row in runs.iterrows()]
    state = next((s for s in (RUNNING, FAILED, PRUNED, CUT_SHORT) if s in states), COMPLETE)
    key = f"metrics.best/{metric.replace('/', '_')}"
    scores = runs[key].astype(float) if key in runs else pd.Series(np.nan, runs.index)
    reason = next((r for r in runs["reason"] if isinstance(r, str) and r), None)
    best = scores.idxmax() if scores.notna().any() else runs.index[0]
    return {
        "number": number, "state": state, "run_ids": list(runs.index), "run_id": str(best),
        "value": scores.mean() if state == COMPLETE else None, "reached": scores.max(),
        "epochs": runs["last_step"].sum(), "reason": reason, "started": runs["started"].min(),
        "ended": None if state == RUNNING else runs["ended"].max(),
        "params": {p.name: _value(runs.iloc[0].get(p.column)) for p in parameters},
    }  # fmt: skip


def _state(row: Any) -> str:
    if row["status"] in UNFINISHED:
        return RUNNING
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


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
