"""A sweep in Markdown: its space, its trials, the best of them, which field mattered."""

from sweeps.reading import ENOUGH, importances, usual_evaluator
from sweeps.study import Sweep
from sweeps.summary import Summary, TrialRow, read, rows, summarise
from sweeps.trials import COMPLETE, shown
from sweeps.view import describe
from trainer.wording import counted


def markdown(sweep: Sweep) -> str:
    """Return the report of a sweep as it stands."""
    summary = summarise(sweep)
    parts = [f"# Sweep {sweep.spec.name}", *_heading(sweep, summary), "## Trials"]
    parts.append(_table(sweep, rows(sweep)))
    parts += ["## Importance", _importance(sweep, summary)]
    return "\n\n".join(parts) + "\n"


def importance(sweep: Sweep) -> tuple[str, dict[str, float] | None]:
    """Return the evaluator's name and how much each field matters to it, the first the most.

    The shares sum to 1; None where `importances` has none.
    """
    found = read(sweep)
    evaluator = usual_evaluator(found.counts.get(COMPLETE, 0))
    return evaluator, importances(
        found.trials, found.parameters, "value", higher_is_better=True, evaluator=evaluator
    )


def _heading(sweep: Sweep, summary: Summary) -> list[str]:
    spec = sweep.spec
    counts = count_line(summary)
    space = "\n".join(f"- `{name}`: {dimension}" for name, dimension in spec.space.items())
    how = (
        f"Score: best `{spec.metric}` of a run"
        + (f", mean of {spec.seeds} seeds" if spec.seeds > 1 else "")
        + f". Sampler {spec.sampler.name}, pruner {spec.pruner.name}, "
        + f"{counted(spec.config.epochs, 'epoch')} at most."
    )
    best = "No trial has been completed."
    if summary.best is not None and summary.best.value is not None:
        found = summary.best
        best = (
            f"**Best: {found.value:.4f}**, trial {found.number}, run `{found.run_id}`: "
            f"{describe(found.params)}."
        )
    description = [spec.description] if spec.description else []
    return [*description, best, counts, how, space]


def count_line(summary: Summary) -> str:
    """Return how many trials ended how and what they cost, in one sentence."""
    return (
        f"{summary.finished} of {counted(summary.total, 'trial')}: {summary.counted}; "
        f"{counted(summary.epochs_trained, 'epoch')} trained, {summary.epochs_saved} saved by "
        "pruning and early stopping."
    )


def _table(sweep: Sweep, trials: list[TrialRow]) -> str:
    names = list(sweep.spec.space)
    header = ["Trial", "State", sweep.spec.metric, *names, "Epochs", "Run", "Reason"]
    lines = [header, ["---"] * len(header)]
    ordered = sorted(trials, key=lambda t: (t.value is None, -(t.value or 0.0), t.number))
    for trial in ordered:
        lines.append(
            [
                str(trial.number),
                trial.state,
                "" if trial.value is None else f"{trial.value:.4f}",
                *(shown(trial.params[name]) if name in trial.params else "" for name in names),
                str(trial.epochs),
                trial.run_id or "",
                " ".join((trial.reason or "").split()).replace("|", "\\|"),
            ]
        )
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _importance(sweep: Sweep, summary: Summary) -> str:
    evaluator, found = importance(sweep)
    if found is None:
        needed, complete = ENOUGH[evaluator], summary.complete
        if complete < needed:
            return f"{evaluator} needs {counted(needed, 'completed trial')}; it has {complete}."
        return f"{evaluator} finds nothing: the completed trials do not differ."
    lines = [f"| Field | Importance ({evaluator}, n = {summary.complete}) |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | {share:.2f} |" for name, share in found.items())])
