"""A sweep's tables: configuration by metric, epoch by configuration, verdicts, trials."""

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from sweeps.reporting.facts import SECONDS, SPEED, Configuration, Facts
from sweeps.trials import shown
from trainer.analysis.score_table import SCORES, title
from trainer.analysis.verdict_table import of_pairs
from trainer.tables import Column, Table


def by_configuration(facts: Facts) -> Table:
    """Return configuration by metric: scores at the best epoch, what they cost."""
    compared = facts.configurations
    columns = [Column(name="Seeds", values=[len(c.run_ids) for c in compared])]
    for metric in dict.fromkeys((facts.spec.metric, "val/dice", "val/miou")):
        name = title(metric)
        logged = [facts.values(c, f"best/{metric.replace('/', '_')}") for c in compared]
        columns.append(_over_seeds(facts, name[0].upper() + name[1:], logged))
    times = [
        ("Train time [s]", [_seconds(facts, c) for c in compared]),
        ("Predict time [ms/image]", [_milliseconds(facts, c) for c in compared]),
    ]
    columns += [_over_seeds(facts, name, values, decimals=1) for name, values in times]
    columns.append(Column(name="Parameters", values=[_parameters(facts, c) for c in compared]))
    return Table(index="Configuration", labels=[c.label for c in compared], columns=columns)


def by_epoch(facts: Facts) -> Table:
    """Return epoch by configuration: the score of each epoch, the mean over seeds."""
    scores = {c.label: epoch_scores(facts, c) for c in facts.configurations}
    epochs = sorted({int(epoch) for table in scores.values() for epoch in table.index})
    columns = []
    for label, table in scores.items():
        whole = table.reindex(epochs)
        seeds = [row[np.isfinite(row)] for row in whole.to_numpy(dtype=float)]
        columns.append(_over_seeds(facts, label, seeds))
    return Table(index="Epoch", labels=epochs, columns=columns)


def epoch_scores(facts: Facts, configuration: Configuration) -> pd.DataFrame:
    """Return the score of each epoch (rows) in each run (columns), NaN where it has none."""
    curves = {r: facts.curve(r, facts.spec.metric) for r in configuration.run_ids}
    return pd.DataFrame(
        {run_id: pd.Series(curve.values, index=curve.steps) for run_id, curve in curves.items()}
    )


def of_verdicts(facts: Facts) -> Table:
    """Return every pair of configurations with the difference, its interval and the verdict."""
    return of_pairs(facts.pairs)


def of_trials(facts: Facts) -> Table:
    """Return every trial, the best first, with how it ended and why."""
    order = sorted(facts.trials, key=lambda t: (t.value is None, -(t.value or 0.0), t.number))
    columns = [
        Column(name="State", values=[trial.state for trial in order]),
        Column(name=facts.spec.metric, values=[trial.value for trial in order]),
        *(
            Column(
                name=name,
                values=[shown(t.params[name]) if name in t.params else "" for t in order],
            )
            for name in facts.spec.space
        ),
        Column(name="Epochs", values=[trial.epochs for trial in order]),
        Column(name="Run", values=[trial.run_id or "" for trial in order]),
        Column(name="Reason", values=[trial.reason or "" for trial in order]),
    ]
    return Table(index="Trial", labels=[trial.number for trial in order], columns=columns)


def of_dips(facts: Facts) -> Table:
    """Return the epochs at which a run's score fell out of line, and when it was back."""
    found = [
        (c.label, run_id, dip)
        for c in facts.configurations
        for run_id in c.run_ids
        for dip in facts.dips(run_id)
    ]
    columns = [
        Column(name="Run", values=[run_id[:8] for _, run_id, _ in found]),
        Column(name="Epoch", values=[dip.epoch for *_, dip in found]),
        Column(name="Score", values=[dip.level for *_, dip in found]),
        Column(name="Below the best so far", values=[dip.drawdown for *_, dip in found]),
        Column(name="Back at epoch", values=[dip.recovered_at or "never" for *_, dip in found]),
    ]
    return Table(index="Configuration", labels=[label for label, *_ in found], columns=columns)


def of_test(facts: Facts) -> Table:
    """Return the best trial's scores on the test images, by which nothing was chosen."""
    labels = [SCORES[key].label for key in facts.test]
    column = Column(name="Test", values=list(facts.test.values()))
    return Table(index="Score", labels=labels, columns=[column])


def of_importance(facts: Facts) -> Table:
    """Return how much each field mattered, shares that sum to 1."""
    evaluator, shares = facts.importance
    name = f"Importance ({evaluator}, n = {facts.summary.complete})"
    column = Column(name=name, values=list((shares or {}).values()), decimals=2)
    return Table(index="Field", labels=list(shares or {}), columns=[column])


TABLES = {"configurations": by_configuration, "epochs": by_epoch, "verdicts": of_verdicts}


def _over_seeds(
    facts: Facts, name: str, values: Sequence[np.ndarray], *, decimals: int = 4
) -> Column:
    """Return a column of means, with standard deviations where a configuration has seeds."""
    several = any(len(c.run_ids) > 1 for c in facts.configurations)
    means = [float(v.mean()) if v.size else math.nan for v in values]
    spreads = [float(v.std(ddof=1)) if v.size > 1 else math.nan for v in values]
    return Column(name=name, values=means, spreads=spreads if several else None, decimals=decimals)


def _seconds(facts: Facts, configuration: Configuration) -> np.ndarray:
    """Return the seconds that each run trained, validation after each epoch included."""
    curves = [facts.curve(run_id, SECONDS).values for run_id in configuration.run_ids]
    return np.array([curve.sum() for curve in curves if curve.size])


def _milliseconds(facts: Facts, configuration: Configuration) -> np.ndarray:
    """Return the milliseconds an image that each run's validation took, the median epoch's."""
    curves = [facts.curve(run_id, SPEED).values for run_id in configuration.run_ids]
    return np.array([1000 / np.median(curve) for curve in curves if curve.size])


def _parameters(facts: Facts, configuration: Configuration) -> int | None:
    logged = facts.values(configuration, "model/parameters")
    known = [int(value) for value, _ in groupby(logged[np.isfinite(logged)])]
    return known[0] if known else None
