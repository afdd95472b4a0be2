"""Measure what a search loses by pruning, and by how much the best of many looks too good.

python benchmarks/selection.py pruning    how often the eventual best trial of a grid is pruned
python benchmarks/selection.py winner     the best of n equal settings, against what it is worth

A simulated trial is a learning curve of one of several shapes, with a level and a speed that its
setting decides and noise from epoch to epoch; nothing in it is fitted to the pruner.
"""

import argparse
import os
from dataclasses import dataclass

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when numpy loads

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import TrialState

from sweeps.pruners import FallsBehind
from sweeps.spec import PrunerSpec
from trainer.analysis.selection import best_of_equals

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Settings that differ in where they arrive and in how fast, and how restless epochs are."""

    epochs: int = 10
    trials: int = 40
    restless: float = 0.004
    """Spread from epoch to epoch; one epoch in fifteen falls by far more."""
    crossing: float = 0.3
    """Correlation of a high level with slow learning: small learning rates arrive late."""

    def draw(self, random: np.random.Generator) -> Floats:
        """Return the curves ``(trials, epochs)``."""
        level, other = random.normal(0, 1, (2, self.trials))
        slow = self.crossing * level + np.sqrt(1 - self.crossing**2) * other
        top = 1 / (1 + np.exp(-(2.5 + 0.5 * level)))
        pace = np.exp(0.6 + 0.5 * slow)[:, None]
        at = np.arange(1, self.epochs + 1)
        curves = top[:, None] * (1 - 0.4 * np.exp(-at / pace))
        curves += random.normal(0, self.restless, curves.shape)
        falls = random.random(curves.shape) < 1 / 15
        return np.where(falls, curves * random.uniform(0.6, 0.95, curves.shape), curves)


class CompleteAlone(FallsBehind):
    """The bar of Optuna's own pruners: that of the trials which were not pruned."""

    counted = (TrialState.COMPLETE,)


class Ended:
    """A study of trials that have ended, as far as a pruner asks it."""

    def __init__(self) -> None:
        self.trials: list[optuna.trial.FrozenTrial] = []

    def get_trials(
        self, deepcopy: bool, states: tuple[TrialState, ...]
    ) -> list[optuna.trial.FrozenTrial]:
        """Return the trials of these states."""
        del deepcopy
        return [trial for trial in self.trials if trial.state in states]


def carried_out(curves: Floats, pruner: FallsBehind) -> NDArray[np.int64]:
    """Return the epochs that each trial ran, one trial after the other."""
    study, ran = Ended(), []
    for best in np.maximum.accumulate(curves, axis=1):
        reached: dict[int, float] = {}
        pruned = False
        for epoch, score in enumerate(best.tolist(), start=1):
            reached[epoch] = score
            trial = optuna.trial.create_trial(
                state=TrialState.PRUNED, intermediate_values=dict(reached)
            )
            if epoch < len(best) and pruner.prune(study, trial):  # type: ignore[arg-type]
                pruned = True
                break
        if not pruned:
            trial = optuna.trial.create_trial(value=score, intermediate_values=reached)
        study.trials.append(trial)
        ran.append(epoch)
    return np.array(ran)


GRIDS = {
    "calm": Grid(restless=0.001),
    "usual": Grid(),
    "restless": Grid(restless=0.015),
    "slow ones win": Grid(crossing=0.7),
    "20 epochs": Grid(epochs=20),
}


def pruning(runs: int) -> None:
    """Print a row for each grid and each way to set the bar."""
    print(f"{runs} searches of 40 trials a row, median, patience 1, warm-up 1, 3 to start with")
    print("grid | bar of | pruned of 40 | best pruned % | loss of score | epochs saved %")
    for name, grid in GRIDS.items():
        for label, kind in (("complete", CompleteAlone), ("all", FallsBehind)):
            pruner = kind(PrunerSpec(), keep=50.0)
            random = np.random.default_rng(0)
            found = []
            for _ in range(runs):
                curves = grid.draw(random)
                ran = carried_out(curves, pruner)
                value = curves.max(axis=1)
                whole = ran == grid.epochs
                lost = value.max() - value[whole].max()
                saved = 1 - ran.sum() / curves.size
                found.append(((~whole).sum(), not whole[value.argmax()], lost, saved))
            pruned, missed, lost, saved = np.mean(found, axis=0)
            row = f"{pruned:.1f} | {100 * missed:.0f} | {lost:.4f} | {100 * saved:.0f}"
            print(f"{name} | {label} | {row}", flush=True)


def winner(runs: int) -> None:
    """Print by how much the best of n equal settings exceeds what each is worth.

    All have the same true score; what varies is the seed of each, and which of its epochs is best.
    """
    print(f"{runs} searches a row, 20 epochs a run; in spreads of the last epoch's score")
    print("settings | as computed | by the last epoch | by the best epoch of each")
    restless = 0.5
    random = np.random.default_rng(0)
    for settings in (1, 2, 5, 10, 20, 50, 100):
        seeds = random.normal(0, 1, (runs, settings))
        epochs = seeds[..., None] + random.normal(0, restless, (runs, settings, 20))
        epochs /= np.sqrt(1 + restless**2)
        last, best = epochs[..., -1].max(axis=1), epochs.max(axis=2).max(axis=1)
        computed = best_of_equals(settings)
        print(f"{settings} | {computed:+.2f} | {last.mean():+.2f} | {best.mean():+.2f}", flush=True)


def main() -> None:
    """Run the measurement that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["pruning", "winner"])
    parser.add_argument("--runs", type=int, default=400, help="simulated searches a row")
    arguments = parser.parse_args()
    {"pruning": pruning, "winner": winner}[arguments.what](arguments.runs)


if __name__ == "__main__":
    main()
