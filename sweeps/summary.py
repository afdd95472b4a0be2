"""A sweep's state and result, read from its study: counts, the best trial, a report."""

from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from sweeps.claims import REASON, is_alive
from sweeps.objective import EPOCHS, RUN, SAVED, SCORES
from sweeps.samplers import UNCOUNTED
from sweeps.space import setting
from sweeps.study import FINISHED, Sweep

# The best tenth of the trials must be more than one, or PED-ANOVA has nothing to fit.
ENOUGH_FOR_IMPORTANCE = 20
IMPORTANCE = "PED-ANOVA"

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """One trial. ``value`` is its score, None unless complete; ``params`` are config fields."""

    number: int
    state: str
    value: float | None
    params: dict[str, Any]
    run_id: str | None
    epochs: int
    reason: str | None
    scores: list[float]
    seconds: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``--json``."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A sweep as it stands; counts leave out what was cut short and is tried again."""

    study: str
    metric: str
    total: int
    complete: int
    pruned: int
    failed: int
    running: int
    best: TrialRow | None
    epochs_trained: int
    epochs_saved: int

    @property
    def finished(self) -> int:
        """Trials that have ended, however."""
        return self.complete + self.pruned + self.failed

    def to_json(self) -> dict[str, Any]:
        """Return what ``sweeps run --json`` prints."""
        return {
            "study": self.study,
            "trials": {"complete": self.complete, "pruned": self.pruned, "failed": self.failed},
            "best": None if self.best is None else best_json(self.best),
            "epochs_trained": self.epochs_trained,
            "epochs_saved": self.epochs_saved,
        }

    def to_metrics(self) -> dict[str, float]:
        """Return the figures that the sweep's own run in the store keeps."""
        figures: dict[str, float] = {
            "trials/complete": self.complete,
            "trials/pruned": self.pruned,
            "trials/failed": self.failed,
            "epochs_trained": self.epochs_trained,
            "epochs_saved": self.epochs_saved,
        }
        if self.best is not None and self.best.value is not None:
            figures["best/" + self.metric.replace("/", "_")] = self.best.value
        return figures


def best_json(best: TrialRow) -> dict[str, Any]:
    """Return the run to register and what it was made with."""
    return {"run_id": best.run_id, "value": best.value, "params": best.params}


def summarise(sweep: Sweep) -> Summary:
    """Return how the sweep stands now."""
    trials = sweep.trials()
    by_state = [trial.state for trial in trials]
    # What was cut short was trained too, and is not saved.
    everything = sweep.study.get_trials(deepcopy=False)
    return Summary(
        study=sweep.spec.name,
        metric=sweep.spec.metric,
        total=sweep.spec.total,
        complete=by_state.count(TrialState.COMPLETE),
        pruned=by_state.count(TrialState.PRUNED),
        failed=by_state.count(TrialState.FAIL),
        running=sum(t.state is TrialState.RUNNING and is_alive(sweep, t) for t in trials),
        best=best_trial(sweep),
        epochs_trained=sum(epochs_of(trial) for trial in everything),
        epochs_saved=sum(trial.user_attrs.get(SAVED, 0) for trial in trials),
    )


def best_trial(sweep: Sweep) -> TrialRow | None:
    """Return the complete trial with the highest score, the earliest of equals; None if none."""
    complete = sweep.trials(TrialState.COMPLETE)
    if not complete:
        return None
    return row(sweep, max(complete, key=lambda trial: (trial.value, -trial.number)))


def rows(sweep: Sweep) -> list[TrialRow]:
    """Return every trial that was begun, those that were cut short included."""
    begun = (*FINISHED, TrialState.RUNNING)
    return [row(sweep, t) for t in sweep.study.get_trials(deepcopy=False, states=begun)]


def row(sweep: Sweep, trial: FrozenTrial) -> TrialRow:
    """Return a trial as plain values."""
    state = "cut short" if UNCOUNTED in trial.user_attrs else STATES[trial.state]
    drawn = sweep.spec.space.keys() <= trial.params.keys()
    return TrialRow(
        number=trial.number,
        state=state,
        value=trial.value if trial.state is TrialState.COMPLETE else None,
        params=setting(sweep.spec.space, trial.params) if drawn else dict(trial.params),
        run_id=trial.user_attrs.get(RUN),
        epochs=epochs_of(trial),
        reason=trial.user_attrs.get(REASON),
        scores=trial.user_attrs.get(SCORES, []),
        seconds=None if trial.duration is None else trial.duration.total_seconds(),
    )


def epochs_of(trial: FrozenTrial) -> int:
    """Return the epochs trained so far; a trial without its results reported this many."""
    return int(trial.user_attrs.get(EPOCHS, 0)) or max(trial.intermediate_values, default=0)


def importances(sweep: Sweep) -> dict[str, float] | None:
    """Return how much each field matters for being in the best tenth, by PED-ANOVA, summing to 1.

    None below `ENOUGH_FOR_IMPORTANCE` complete trials.
    """
    if len(sweep.trials(TrialState.COMPLETE)) < ENOUGH_FOR_IMPORTANCE:
        return None
    # Late: it imports scikit-learn where that is installed, seconds for every worker.
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    return get_param_importances(sweep.study, evaluator=PedAnovaImportanceEvaluator())
