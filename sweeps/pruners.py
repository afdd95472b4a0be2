"""When a trial is given up before its last epoch.

A validation score can fall from 0.988 to 0.707 in one epoch and be back in the next. So a trial
reports the best score it has reached so far, and it takes several bad epochs in a row to prune
it: `Patient` asks the pruner it wraps about each of the last epochs, not about the last alone.
Optuna's own ``PatientPruner`` waits for a score that gets worse, which a running best never does.
"""

import copy
import math

from optuna import Study
from optuna.pruners import BasePruner, NopPruner, PercentilePruner
from optuna.trial import FrozenTrial

from sweeps.spec import PrunerSpec


class Patient(BasePruner):
    """Prune a trial when ``judge`` would have pruned it at each of its last epochs.

    ``patience`` is the number of epochs before the last one that must be as bad. ``judge`` must
    decide from a trial's intermediate values alone, as median and percentile pruners do.
    """

    def __init__(self, judge: BasePruner, *, patience: int) -> None:
        self._judge = judge
        self._patience = patience

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether to give the trial up, after its latest report."""
        epochs = sorted(trial.intermediate_values)[-(self._patience + 1) :]
        if len(epochs) <= self._patience:
            return False
        return all(self._judge.prune(study, _until(trial, epoch)) for epoch in reversed(epochs))


class BestSoFar:
    """Turn a trial's scores into what it reports: the best of them, NaN left out."""

    def __init__(self) -> None:
        self._best = -math.inf

    def after(self, score: float) -> float | None:
        """Return the best score up to and with this one; None before the first finite one."""
        if math.isfinite(score):
            self._best = max(self._best, score)
        return self._best if math.isfinite(self._best) else None


def build_pruner(spec: PrunerSpec) -> BasePruner:
    """Return the pruner that ``spec`` describes; scores are higher-is-better."""
    if spec.name == "none":
        return NopPruner()
    judge = PercentilePruner(
        50.0 if spec.name == "median" else spec.keep,
        n_startup_trials=spec.startup_trials,
        # Epochs count from 1, and Optuna judges the step that equals this number.
        n_warmup_steps=spec.warmup_epochs + 1,
        # Of one or two trials that got this far (others stopped early), a median says nothing.
        n_min_trials=min(spec.startup_trials, 3),
    )
    return Patient(judge, patience=spec.patience)


def _until(trial: FrozenTrial, epoch: int) -> FrozenTrial:
    """Return the trial as it was after ``epoch``."""
    earlier = copy.copy(trial)
    values = trial.intermediate_values
    earlier.intermediate_values = {step: v for step, v in values.items() if step <= epoch}
    return earlier
