"""``trainer compare`` and ``trainer stability``: which run is better, and which is stable."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional

from trainer.analysis.definitions import DEFINITIONS
from trainer.analysis.score_table import check_comparable, comparable
from trainer.command_line import DONE, Tabular, parse, print_json
from trainer.printing import say

if TYPE_CHECKING:
    from trainer.analysis.verdict import Comparison
    from trainer.tables import Table


@dataclass(frozen=True, kw_only=True)
class Compare(Tabular):
    """Say which of several runs is better, given what images and seeds explain.

    Runs that differ only in their seed count as repeats of one configuration. Registered models
    are compared as these models; of configurations it takes two seeds or more to say anything.
    """

    models: Positional[tuple[str, ...]]
    """Runs (id, beginning of it, name, last) or registered models, two or more."""
    score: Annotated[str | None, comparable()] = None
    """Score that decides, dice/2 and iou/2 are of class 2 alone; left out, dice, of classifiers
    balanced_accuracy."""
    all_seeds: bool = False
    """Add every finished repeat, with another seed, of the runs that are named."""
    resamples: int = 10_000
    """Number of bootstrap resamples."""
    plan: bool = False
    """Say too how many seeds and images would tell a difference of 0.005 and of 0.01."""


@dataclass(frozen=True, kw_only=True)
class Stability(Tabular):
    """Print the instability statistics of any runs of the store."""

    run_ids: Positional[Annotated[tuple[str, ...], "RUNS"]]
    """The runs, by id, beginning of it, name or last; those of another program too."""
    metric: Annotated[str | None, "NAME"] = None
    """The per-epoch curve; of each run what it monitored when left out."""
    lower_is_better: bool = False
    """The curve is a loss."""
    warmup: int = 0
    """Leave out the epochs up to this number."""


def compare(args: list[str]) -> int:
    """Say which of several runs is better, given what images and seeds explain."""
    command = parse(Compare, prog="trainer compare", args=args)
    if len(set(command.models)) < 2:
        raise ValueError("models: give two or more different run ids or registered models")
    if command.score is not None:
        check_comparable(command.score)
    if command.resamples < 100:
        raise ValueError(f"resamples: {command.resamples} must be at least 100")
    from trainer.evaluation.results import which_is_better

    groups, of_models = _sides(command)
    verdict = which_is_better(
        groups, score=command.score, resamples=command.resamples, of_models=of_models
    )
    if command.form == "json":
        epochs = {run_id: best.epoch for run_id, best in verdict.best.items()}
        print_json([result.to_json() | {"epochs": epochs} for result in verdict.pairs])
        return DONE
    pairs = [result.better_first() for result in verdict.pairs]
    said = [line for pair in pairs for line in _said(pair, command)]
    said += [
        f"{name}, run {run_id[:8]}: {verdict.best[run_id]}"
        for name, run_ids in groups.items()
        for run_id in run_ids
    ]
    if command.form == "table":
        say(*said)
    else:
        from trainer.analysis.verdict_table import of_pairs
        from trainer.tables import tell

        tell(of_pairs(pairs), command.form, said)
    return DONE


def _said(pair: "Comparison", command: Compare) -> list[str]:
    """Return the verdict on a pair and what stands beneath it."""
    plans = pair.plans() if command.plan else pair.plans()[-1:] * pair.is_open
    return [
        pair.sentence,
        *(f"  note: {note}" for note in pair.notes),
        *(f"  plan: {plan}" for plan in plans),
        *(
            f"  {image.difference:+.4f}  {image.a:.4f} {image.b:.4f}  {image.image}"
            for image in pair.most_different[:5]
        ),
    ]


def _sides(command: Compare) -> tuple[dict[str, list[str]], bool]:
    """Return the runs of each side by its name, and whether their models are asked about."""
    from trainer.evaluation.results import by_configuration
    from trainer.prediction.registry import model_named

    run_of = {model: _run_id(model) for model in map(model_named, command.models)}
    if len(run_of) < 2:
        raise ValueError(f"models: they are all {next(iter(run_of))}; name another one")
    of_models = all(model.startswith("models:/") for model in run_of) and not command.all_seeds
    if of_models:
        if len(set(run_of.values())) < len(run_of):
            raise ValueError("models: two of them come from the same run; name other versions")
        return {model: [run_id] for model, run_id in run_of.items()}, True
    groups = by_configuration(run_of.values(), all_seeds=command.all_seeds)
    if len(groups) < 2:
        raise ValueError("models: these runs are repeats of one configuration; name another one")
    return groups, False


def stability(args: list[str]) -> int:
    """Print the instability statistics of any runs of the store."""
    command = parse(Stability, prog="trainer stability", args=args)
    if not command.run_ids:
        raise ValueError("run_ids: give at least one run")
    if command.warmup < 0:
        raise ValueError(f"warmup: {command.warmup} must not be negative")
    rows = _statistics(command)
    if command.form == "json":
        print_json(rows)
    else:
        from trainer.tables import tell

        tell(_table(rows, command.form), command.form)
    return DONE


def _statistics(command: Stability) -> list[dict[str, Any]]:
    from trainer.analysis.headline import no_headline
    from trainer.analysis.stability import of_history
    from trainer.evaluation.results import chosen, history
    from trainer.tracking.naming import run_named

    rows = []
    for run_id, run in chosen(map(run_named, command.run_ids)).iterrows():
        metric = command.metric or run["headline"]
        if not metric:
            raise ValueError(f"metric: {no_headline(run['logged_metrics'])}, or give --metric")
        logged = history(str(run_id), metric)
        if not logged.steps.size:
            raise ValueError(f"metric: run {run_id} has no {metric!r}")
        found = of_history(
            logged, warmup=command.warmup, higher_is_better=not command.lower_is_better
        )
        rows.append(
            {
                "run_id": run_id,
                "name": run["name"] or str(run_id)[:8],
                "metric": metric,
                "epochs": found.n,
                "non_finite": found.non_finite,
                **found.to_metrics(),
            }
        )
    return rows


def _table(rows: Sequence[dict[str, Any]], form: str) -> "Table":
    """Return a row a run; people read the runs side by side, and ids cut short."""
    from trainer.tables import Column, Table

    columns = []
    for key in rows[0]:
        values = [_cell(key, row[key]) for row in rows]
        if key == "run_id" and form != "csv":
            values = [str(value)[:8] for value in values]
        if key != "name":
            columns.append(Column(name=key.removeprefix("stability/"), values=values))
    names = [str(row["name"]) for row in rows]
    return Table(index="name" if form == "csv" else "", labels=names, columns=columns, turned=True)


def _cell(key: str, value: Any) -> Any:
    """Return a value with its digits: a count whole; None what so short a curve does not have."""
    if not isinstance(value, float):
        return value
    if math.isnan(value):
        return None
    definition = DEFINITIONS.get(key)
    return value if definition is None or definition.unit == "score" else int(value)


def _run_id(model: str) -> str:
    if not model.startswith("models:/"):
        return model
    from trainer.prediction.registry import find

    run_id = find(model).run_id
    if run_id is None:
        raise ValueError(f"model: {model} names no run that it came from")
    return run_id
