"""When a trial is given up before its last epoch.

A validation score can fall from 0.988 to 0.707 in one epoch and be back in the next. So a trial
reports the best score it has reached so far, and it takes several bad epochs in a row to prune it.
Optuna's own ``PatientPruner`` waits for a score that gets worse, which a running best never does.

A trial is held against all that ended at an epoch or went past it, the pruned ones too. Optuna's
``MedianPruner`` and ``PercentilePruner`` ask the complete trials alone: these are the ones that
were above the bar, so with every trial that it prunes the bar rises for the next.
"""

import math

import numpy as np
from optuna import Study
from optuna.pruners import BasePruner, NopPruner
from optuna.trial import FrozenTrial, TrialState

from sweeps.spec import PrunerSpec


class FallsBehind(BasePruner):
    """Prune a trial that is below the bar at each of its last ``patience`` + 1 epochs.

    The bar of an epoch is what the best ``keep`` percent of the trials that reached it had reached
    by then. The other settings are those of `sweeps.spec.PrunerSpec`; scores are higher-is-better.
    """

    counted: tuple[TrialState, ...] = (TrialState.COMPLETE, TrialState.PRUNED)

    def __init__(self, spec: PrunerSpec, *, keep: float) -> None:
        self._spec = spec
        self._keep = keep

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether to give the trial up, after its latest report."""
        spec, reached = self._spec, trial.intermediate_values
        epochs = sorted(reached)[-(spec.patience + 1) :]
        if len(epochs) <= spec.patience or epochs[0] <= spec.warmup_epochs:
            return False
        ended = study.get_trials(deepcopy=False, states=self.counted)
        if sum(other.state == TrialState.COMPLETE for other in ended) < spec.startup_trials:
            return False
        return all(reached[epoch] < self._bar(ended, epoch) for epoch in epochs)

    def _bar(self, ended: list[FrozenTrial], epoch: int) -> float:
        others = [t.intermediate_values[epoch] for t in ended if epoch in t.intermediate_values]
        # Of one or two trials that got this far (others stopped early), a median says nothing.
        if len(others) < min(self._spec.startup_trials, 3):
            return -math.inf
        return float(np.percentile(others, 100 - self._keep))


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
    return FallsBehind(spec, keep=50.0 if spec.name == "median" else spec.keep)
