"""One dip does not end a trial; staying behind does."""

import math

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from sweeps.pruners import BestSoFar, build_pruner
from sweeps.spec import PrunerSpec

# The first report's lr = 1e-4 column, with its dips at epochs 2 and 6.
DIPPING = [0.9810, 0.8296, 0.9846, 0.9880, 0.9876, 0.7070, 0.9882, 0.9895, 0.9891, 0.9884]
GOOD = [0.9600, 0.9700, 0.9750, 0.9780, 0.9800, 0.9810, 0.9820, 0.9830, 0.9840, 0.9850]
BAD = [0.9000, 0.9100, 0.9200, 0.9250, 0.9300, 0.9350, 0.9400, 0.9450, 0.9500, 0.9550]
# Far below while the others climb, then above them: a dip that a running best cannot hide.
STUMBLING = [0.9600, 0.9610, 0.9860, 0.9870, 0.9880, 0.9880, 0.9880, 0.9880, 0.9880, 0.9880]


def pruned_at(curve: list[float], earlier: list[list[float]], spec: PrunerSpec) -> int | None:
    """Return the epoch at which a trial with this curve is pruned, after those before it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", pruner=build_pruner(spec))
    for values in earlier:
        trial, best = study.ask(), BestSoFar()
        for epoch, score in enumerate(values, start=1):
            trial.report(best.after(score) or 0.0, step=epoch)
        study.tell(trial, max(values))
    trial, best = study.ask(), BestSoFar()
    for epoch, score in enumerate(curve, start=1):
        if (reached := best.after(score)) is not None:
            trial.report(reached, step=epoch)
            if trial.should_prune():
                return epoch
    return None


def test_dips_do_not_prune_a_good_trial() -> None:
    assert pruned_at(DIPPING, [GOOD, GOOD, GOOD], PrunerSpec()) is None
    assert pruned_at(STUMBLING, [GOOD, GOOD, GOOD], PrunerSpec()) is None


def test_without_patience_the_stumbling_trial_would_have_been_lost() -> None:
    assert pruned_at(STUMBLING, [GOOD, GOOD, GOOD], PrunerSpec(patience=0)) == 2


def test_a_bad_trial_is_pruned_as_soon_as_it_may_be() -> None:
    # Epoch 1 is warm-up; epochs 2 and 3 are both below the median.
    assert pruned_at(BAD, [GOOD, GOOD, GOOD], PrunerSpec()) == 3
    assert pruned_at(BAD, [GOOD, GOOD, GOOD], PrunerSpec(warmup_epochs=4, patience=2)) == 7


def test_nothing_is_pruned_before_enough_trials_are_complete() -> None:
    assert pruned_at(BAD, [GOOD, GOOD], PrunerSpec()) is None
    assert pruned_at(BAD, [GOOD, GOOD], PrunerSpec(startup_trials=2)) == 3


def test_percentile_keeps_the_share_it_says() -> None:
    earlier = [[quality] * 5 for quality in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    lenient = PrunerSpec(name="percentile", keep=90.0)
    strict = PrunerSpec(name="percentile", keep=20.0)
    assert pruned_at([0.5] * 5, earlier, lenient) is None
    assert pruned_at([0.5] * 5, earlier, strict) == 3
    assert pruned_at([0.95] * 5, earlier, strict) is None


def test_none_prunes_nothing() -> None:
    assert pruned_at(BAD, [GOOD, GOOD, GOOD], PrunerSpec(name="none")) is None


def test_the_median_is_not_taken_of_the_few_that_got_so_far() -> None:
    short = [curve[:3] for curve in (GOOD, GOOD, GOOD)]
    assert pruned_at([*GOOD[:3], *BAD[3:]], [*short, [0.99] * 10], PrunerSpec()) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_left_out(value: float) -> None:
    best = BestSoFar()
    assert best.after(value) is None
    assert best.after(0.5) == 0.5
    assert best.after(value) == 0.5
    assert best.after(0.4) == 0.5


def test_pruned_trials_hold_the_bar_down_at_the_epochs_that_they_reached() -> None:
    """The best three alone set the bar at 0.98; with the seven pruned ones it stands at 0.6."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", pruner=build_pruner(PrunerSpec()))
    levels = [0.98, 0.98, 0.98, *(0.6 for _ in range(7))]
    for level in levels:
        complete = level > 0.9
        epochs = range(1, 11 if complete else 4)
        trial = optuna.trial.create_trial(
            state=TrialState.COMPLETE if complete else TrialState.PRUNED,
            value=level,
            intermediate_values=dict.fromkeys(epochs, level),
        )
        study.add_trial(trial)

    def is_pruned(level: float, epochs: int) -> bool:
        trial = study.ask()
        for epoch in range(1, epochs + 1):
            trial.report(level, step=epoch)
        pruned = trial.should_prune()
        study.tell(trial, state=TrialState.FAIL)
        return pruned

    assert not is_pruned(0.7, 3)
    assert is_pruned(0.5, 3)
    # None of the pruned ones was at epoch 5, where only the others say what is good.
    assert is_pruned(0.7, 5)


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 100), min_size=6, max_size=6), min_size=4, max_size=12))
def test_a_trial_above_the_median_of_all_before_it_is_never_pruned(curves: list[list[int]]) -> None:
    """Whatever was pruned before: the bar is among those that were there, not above them."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", pruner=build_pruner(PrunerSpec()))
    reached: dict[int, list[float]] = {epoch: [] for epoch in range(1, 7)}
    for curve in curves:
        trial, best = study.ask(), BestSoFar()
        said: list[float] = []
        for epoch, score in enumerate(curve, start=1):
            said.append(best.after(score) or 0.0)
            trial.report(said[-1], step=epoch)
            if trial.should_prune():
                for back in (epoch, epoch - 1):
                    assert said[back - 1] < np.median(reached[back])
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, said[-1])
        for epoch, value in enumerate(said, start=1):
            reached[epoch].append(value)
