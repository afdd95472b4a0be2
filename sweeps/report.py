"""A sweep in Markdown: its space, its trials, the best of them, which field mattered."""

from sweeps.reading import ENOUGH, importances, usual_evaluator
from sweeps.study import Sweep
from sweeps.summary import Summary, TrialRow, read, rows, summarise
from sweeps.trials import COMPLETE, shown
from sweeps.view import describe
from trainer.analysis.score_table import SCORES
from trainer.tracking import get_run
from trainer.wording import counted, markdown_cell


def markdown(sweep: Sweep) -> str:
    """Return the report of a sweep as it stands."""
    summary = summarise(sweep)
    parts = [f"# Sweep {sweep.spec.name}", *_heading(sweep, summary)]
    if summary.best is not None:
        parts += ["## The best trial", summary.selection, _final(sweep, summary)]
    parts.append("## Trials")
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


def on_test(sweep: Sweep) -> dict[str, float]:
    """Return the best trial's scores on the test images, the mean over its runs; else empty.

    Nothing was chosen by them, so they are looked at of this trial alone.
    """
    standing = read(sweep)
    if standing.best is None:
        return {}
    logged = [_test_scores(run_id) for run_id in standing.trials["run_ids"][standing.best]]
    keys = [key for key in SCORES if all(f"test/{key}" in scores for scores in logged)]
    return {key: sum(of[f"test/{key}"] for of in logged) / len(logged) for key in keys if logged}


def _test_scores(run_id: str) -> dict[str, float]:
    try:
        return dict(get_run(run_id).data.metrics)
    except ValueError:
        return {}  # The run is gone.


def test_line(scores: dict[str, float]) -> str:
    """Return the scores on the test images in one line, or that there are none."""
    if not scores:
        return "No score is of images that chose nothing: keep some with test_fraction."
    shown_first = ", ".join(f"{k} {v:.4f}" for k, v in scores.items() if SCORES[k].headline)
    return f"On the test images, which chose nothing: {shown_first}."


def _final(sweep: Sweep, summary: Summary) -> str:
    scores = on_test(sweep)
    if not scores or summary.best is None:
        return test_line(scores)
    lines = [f"Trial {summary.best.number} on the test images, which chose nothing:", ""]
    lines += ["| Score | Test |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {SCORES[k].label} | {v:.4f} |" for k, v in scores.items())])


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
                trial.reason or "",
            ]
        )
    return "\n".join("| " + " | ".join(map(markdown_cell, cells)) + " |" for cells in lines)


def _importance(sweep: Sweep, summary: Summary) -> str:
    evaluator, found = importance(sweep)
    if found is None:
        needed, complete = ENOUGH[evaluator], summary.complete
        if complete < needed:
            return f"{evaluator} needs {counted(needed, 'completed trial')}; it has {complete}."
        return f"{evaluator} finds nothing: the completed trials do not differ."
    lines = [f"| Field | Importance ({evaluator}, n = {summary.complete}) |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | {share:.2f} |" for name, share in found.items())])
