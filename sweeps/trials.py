"""A sweep's trials as a table. Nothing here knows Optuna or Streamlit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sweeps.space import label
from trainer.analysis.selection import best_of_equals

COMPLETE, PRUNED, FAILED, RUNNING = "complete", "pruned", "failed", "running"
WAITING, CUT_SHORT, STOPPED = "waiting", "cut short", "stopped"
STATES = (COMPLETE, PRUNED, FAILED, RUNNING, STOPPED, CUT_SHORT, WAITING)
ENDED = (COMPLETE, PRUNED, FAILED)
NUMBERS = ("value", "reached", "epochs", "planned", "saved")
COLUMNS = ("state", *NUMBERS, "run_ids", "run_id", "scores", "reason", "started", "ended")
"""Of a table of trials, indexed by ``number``; ``params.*`` follow. ``value`` is the score of a
complete trial, ``reached`` the best score reported, however the trial ended; ``epochs`` trained,
``planned``, and ``saved`` by ending early; ``scores`` the best of each run of ``run_ids``."""


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
    """A sweep as it stands; ``trials`` has `COLUMNS` and a column per parameter."""

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
    def ended(self) -> int:
        """How many trials have ended and count; what was cut short is tried again."""
        return sum(self.counts.get(state, 0) for state in ENDED)

    @property
    def counted(self) -> str:
        """The counts in words, such as ``2 complete, 1 running``."""
        return ", ".join(f"{n} {state}" for state, n in self.counts.items()) or "no trial yet"

    @property
    def epochs_trained(self) -> int:
        """Epochs trained by all trials, those that were cut short included."""
        return int(self.trials["epochs"].sum())

    @property
    def epochs_saved(self) -> int:
        """Epochs that pruning and early stopping left out; what is tried again saves none."""
        return int(self.trials["saved"][self.trials["state"] != CUT_SHORT].sum())

    def seconds_left(self, beside: int) -> float | None:
        """Return how long the trials that are left take, ``beside`` each other; None if unknown.

        As those that ended took on average; what the running ones have done is not counted.
        """
        ended = self.trials[self.trials["state"].isin(ENDED)]
        seconds = (ended["ended"] - ended["started"]).dt.total_seconds().mean()
        if self.total is None or not np.isfinite(seconds):
            return None
        return float(seconds * max(0, self.total - self.ended) / beside)

    def planned(self, number: int) -> int:
        """Return the epochs that a trial trains at most; the sweep's own until it says so."""
        said = self.trials["planned"][number]
        return int(said) if said > 0 else (self.epochs or 0) * self.seeds

    @property
    def best(self) -> int | None:
        """The number of the complete trial with the highest score, the earliest of equals."""
        values = self.trials["value"].dropna()
        return None if values.empty else int(values.index.to_numpy()[values.to_numpy().argmax()])

    @property
    def selection(self) -> str:
        """On what the best trial was chosen, and what of its score may be chance; else empty."""
        if self.best is None:
            return ""
        # The pruned ones were in the running too.
        number = self.counts[COMPLETE] + self.counts.get(PRUNED, 0)
        chosen = f"Chosen on the validation images: of each run its best epoch by {self.metric}"
        if number == 1:
            return f"{chosen}."
        luck, spread = best_of_equals(number), self.spread
        told = f"{luck:.1f} times the spread that seeds alone give a score"
        if spread is not None:
            told += f", here {luck:.1f} × {spread:.4f} = {luck * spread:.4f}"
        else:
            told += ", which seeds: 3 would tell"
        return (
            f"{chosen}, then the best of {number} trials. Were these equal, the best would still "
            f"lie above their mean by chance: by {told}."
        )

    @property
    def spread(self) -> float | None:
        """The standard deviation of a trial's score from seeds alone; None with one seed each."""
        scores = [np.array(s) for s in self.trials["scores"][self.trials["state"] == COMPLETE]]
        of_several = [s.var(ddof=1) / s.size for s in scores if s.size > 1]
        return float(np.sqrt(np.mean(of_several))) if of_several else None


def trials_table(rows: Sequence[Mapping[str, Any]], parameters: Sequence[str]) -> pd.DataFrame:
    """Return rows (``number``, what `COLUMNS` names, ``params``) as a table of trials."""
    table = pd.DataFrame(index=pd.Index([row["number"] for row in rows], name="number", dtype=int))
    for column in NUMBERS:
        table[column] = np.array([_number(row.get(column)) for row in rows], dtype=float)
    for column in ("started", "ended"):
        table[column] = pd.to_datetime(
            pd.Series([row.get(column) for row in rows], index=table.index, dtype=object), utc=True
        )
    for column in ("state", "run_ids", "run_id", "scores", "reason"):
        table[column] = pd.Series(
            [row.get(column) for row in rows], index=table.index, dtype=object
        )
    table = table[list(COLUMNS)]
    for name in parameters:
        values = [row["params"].get(name) for row in rows]
        table[f"params.{name}"] = pd.Series(values, index=table.index, dtype=object)
    return table


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


def shown(value: Any) -> str:
    """Return a parameter's value as people read it, such as ``3.1e-04``; a dash for none."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(label(value))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
