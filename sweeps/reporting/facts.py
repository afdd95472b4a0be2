"""A sweep with what the store has of its runs: what every form of its report is made of."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sweeps.reporting.outcome import importance, on_test
from sweeps.spec import SweepSpec
from sweeps.study import Sweep
from sweeps.summary import Summary, TrialRow, read, rows, summarise
from sweeps.trials import COMPLETE
from sweeps.view import describe
from trainer.analysis.dips import Dip, dips
from trainer.analysis.history import Curve, clean
from trainer.analysis.verdict import Comparison
from trainer.evaluation.results import which_is_better
from trainer.tracking.reading import chosen_runs, histories, runs_table

SECONDS, SPEED = "time/epoch_seconds", "throughput/val_images_per_second"
MOST_COMPARED = 10
"""Configurations of which every pair gets a verdict, a tenth of a second or more each."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A setting whose trial is complete, with those of its runs that the store has."""

    label: str
    """What tells it from the others; unique."""
    trial: TrialRow
    run_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A sweep as it stands. ``runs`` and ``logged`` are tables of `trainer.tracking.reading`."""

    spec: SweepSpec
    summary: Summary
    trials: list[TrialRow]
    configurations: tuple[Configuration, ...]
    runs: pd.DataFrame
    logged: pd.DataFrame
    pairs: tuple[Comparison, ...]
    """The verdicts, each with the better side as A; those with the best configuration first."""
    untold: str
    """Why there are no verdicts, or of whom alone; else empty."""
    test: dict[str, float]
    importance: tuple[str, dict[str, float] | None]

    @property
    def winner(self) -> Configuration | None:
        """The configuration of the best trial; None where the store has none of its runs."""
        number = self.summary.best and self.summary.best.number
        return next((c for c in self.configurations if c.trial.number == number), None)

    def curve(self, run_id: str, metric: str) -> Curve:
        """Return the finite values that a run logged of a metric, each epoch's newest."""
        of_run = self.logged[(self.logged["run_id"] == run_id) & (self.logged["metric"] == metric)]
        return clean(of_run["step"], of_run["value"])

    def dips(self, run_id: str) -> tuple[Dip, ...]:
        """Return the epochs at which a run's score fell out of line."""
        curve = self.curve(run_id, self.spec.metric)
        return dips(curve.values, epochs=curve.steps)

    def values(self, configuration: Configuration, metric: str) -> np.ndarray:
        """Return the latest value of a metric in each run of a configuration, NaN where missing."""
        column = f"metrics.{metric}"
        if column not in self.runs:
            return np.full(len(configuration.run_ids), np.nan)
        return self.runs.loc[list(configuration.run_ids), column].to_numpy(dtype=float)


def gather(sweep: Sweep) -> Facts:
    """Return what the study and the store know of a sweep, with the verdicts."""
    standing, summary, trials = read(sweep), summarise(sweep), rows(sweep)
    complete = [trial for trial in trials if trial.state == COMPLETE]
    wanted = {t.number: tuple(standing.trials["run_ids"][t.number]) for t in complete}
    runs, missing = _runs([run_id for run_ids in wanted.values() for run_id in run_ids])
    there = [t for t in complete if any(r in runs.index for r in wanted[t.number])]
    configurations = tuple(
        Configuration(
            label=label,
            trial=trial,
            run_ids=tuple(r for r in wanted[trial.number] if r in runs.index),
        )
        for label, trial in zip(_labels(there), there, strict=True)
    )
    pairs, untold = _verdicts(configurations, summary.metric.removeprefix("val/"))
    known = list(runs.index) if len(runs) else []
    return Facts(
        spec=sweep.spec,
        summary=summary,
        trials=trials,
        configurations=configurations,
        runs=runs,
        logged=histories(known, [summary.metric, SECONDS, SPEED]) if known else _NOTHING,
        pairs=pairs,
        untold=missing or untold,
        test=on_test(sweep),
        importance=importance(sweep),
    )


_NOTHING = pd.DataFrame({"run_id": [], "metric": [], "step": [], "value": []})


def _runs(run_ids: list[str]) -> tuple[pd.DataFrame, str]:
    try:
        return chosen_runs(run_ids), ""
    except ValueError as error:
        return runs_table([]), str(
            error
        )  # What the study says of the trials is known all the same.


def _labels(trials: list[TrialRow]) -> list[str]:
    """Return what tells trials apart: the fields in which they differ."""
    params: list[dict[str, Any]] = [trial.params for trial in trials]
    names = dict.fromkeys(name for each in params for name in each)
    differing = [n for n in names if len({repr(each.get(n, ...)) for each in params}) > 1]
    told = [describe({n: p[n] for n in differing or names if n in p}) for p in params]
    number = Counter(told)
    return [
        label if label and number[label] == 1 else f"{label} (trial {trial.number})".strip()
        for label, trial in zip(told, trials, strict=True)
    ]


def _verdicts(
    configurations: tuple[Configuration, ...], score: str
) -> tuple[tuple[Comparison, ...], str]:
    ranked = sorted(configurations, key=lambda c: (-(c.trial.value or 0.0), c.trial.number))
    if len(ranked) < 2:
        return (), "there are no two configurations with runs to compare"
    compared = ranked[:MOST_COMPARED]
    try:
        found = which_is_better({c.label: c.run_ids for c in compared}, score=score).pairs
    except ValueError as error:
        return (), str(error)
    left_out = len(ranked) - len(compared)
    limit = f"Verdicts are between the {MOST_COMPARED} best of {len(ranked)}" if left_out else ""
    # In the order of their scores, the better side of each is the one that is named first.
    return tuple(pair.better_first() for pair in found), limit
