"""What a sweep came to beside its best score: trials counted, test scores, what mattered."""

from sweeps.reading import ENOUGH, importances, usual_evaluator
from sweeps.study import Sweep
from sweeps.summary import Summary, read
from sweeps.trials import COMPLETE
from trainer.analysis.score_table import SCORES
from trainer.tracking import get_run
from trainer.wording import counted


def importance(sweep: Sweep) -> tuple[str, dict[str, float] | None]:
    """Return the evaluator's name and how much each field matters to it, the first the most.

    The shares sum to 1; None where `importances` has none.
    """
    found = read(sweep)
    evaluator = usual_evaluator(found.counts.get(COMPLETE, 0))
    return evaluator, importances(
        found.trials, found.parameters, "value", higher_is_better=True, evaluator=evaluator
    )


def no_importance(evaluator: str, complete: int) -> str:
    """Return why an evaluator says nothing of so many complete trials."""
    needed = ENOUGH[evaluator]
    if complete < needed:
        return f"{evaluator} needs {counted(needed, 'completed trial')}; it has {complete}."
    return f"{evaluator} finds nothing: the completed trials do not differ."


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


def count_line(summary: Summary) -> str:
    """Return how many trials ended how and what they cost, in one sentence."""
    return (
        f"{summary.finished} of {counted(summary.total, 'trial')}: {summary.counted}; "
        f"{counted(summary.epochs_trained, 'epoch')} trained, {summary.epochs_saved} saved by "
        "pruning and early stopping."
    )
