import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.analysis.curves import BY_DRAWDOWN, LR_1E_4
from trainer.analysis.definitions import DEFINITIONS
from trainer.analysis.dips import dips
from trainer.analysis.history import History
from trainer.analysis.seeds import across_seeds
from trainer.analysis.stability import (
    COUNTS,
    STATISTICS,
    of_history,
    stability,
    stability_table,
)


def is_low(y: list[float], t: int, left_out: set[int]) -> bool:
    near = range(max(0, t - 5), min(len(y), t + 6))
    window = np.array([y[s] for s in near if s not in left_out])
    median = float(np.median(window))
    return median - y[t] > 3 * 1.4826 * float(np.median(np.abs(window - median)))


def by_the_book(y: list[float]) -> dict[str, float]:
    """The table of definitions written out with loops: the oracle of the vectorised code."""
    n = len(y)
    best = [max(y[: t + 1]) for t in range(n)]
    drawdown = [best[t] - y[t] for t in range(n)]
    change = [y[t] - y[t - 1] for t in range(1, n)]
    series = pd.Series(y, dtype=float)
    flagged: list[int] = []
    while True:
        found = [t for t in range(n) if t not in flagged and drawdown[t] > 0.01]
        found = [t for t in found if is_low(y, t, set(flagged))]
        if not found:
            break
        flagged = sorted(flagged + found)
    recoveries, lost = [0], 0
    for t in flagged:
        back = [s for s in range(t + 1, n) if y[s] >= best[t] - 0.005]
        recoveries.append((back[0] if back else n) - t)
        lost += not back
    nan = float("nan")
    tail = sorted(drawdown)[-max(1, n // 20) :] if n else []
    lower = sorted(change)[: max(1, len(change) // 20)]
    return {
        "max_drawdown": max(drawdown) if n else nan,
        "long_term_risk": sum(tail) / len(tail) if n else nan,
        "short_term_risk": sum(lower) / len(lower) if n > 1 else nan,
        "dispersion": pd.Series(change).quantile(0.75) - pd.Series(change).quantile(0.25)
        if n > 1
        else nan,
        "mean_abs_change": sum(map(abs, change)) / len(change) if n > 1 else nan,
        "dips": len(flagged) if n else nan,
        "longest_recovery": max(recoveries) if n else nan,
        "unrecovered_dips": lost if n else nan,
        "checkpoint_luck": max(y) - float(series[-max(3, n // 5) :].median()) if n > 2 else nan,
    }


def random_curves(runs: int, epochs: int) -> np.ndarray:
    """Rising curves with noise, a few sharp dips, and different lengths; NaN-padded."""
    random = np.random.default_rng(4)
    rise = 0.95 - 0.4 * np.exp(-np.arange(epochs) / random.uniform(1, 8, (runs, 1)))
    curves = rise + random.normal(0, 0.01, (runs, epochs)) * random.uniform(0, 2, (runs, 1))
    curves -= 0.3 * (random.random((runs, epochs)) < 0.04)
    curves[np.arange(epochs) >= random.integers(0, epochs + 1, (runs, 1))] = np.nan
    return curves


def test_the_golden_column() -> None:
    result = stability(LR_1E_4)
    assert result.n == 10
    assert result.max_drawdown == pytest.approx(0.2810, abs=1e-12)
    assert result.max_drawdown_epoch == 6
    assert result.dips == 2
    assert [dip.epoch for dip in result.dip_list] == [2, 6]
    assert [dip.recovered_at for dip in result.dip_list] == [3, 7]
    assert result.dip_list[1].level == 0.7070
    assert result.dip_list[1].previous_best == 0.9880
    assert result.longest_recovery == 1
    # By hand: one value is 5 % of ten, so the tails are the extremes.
    assert (result.long_term_tail, result.short_term_tail) == (1, 1)
    assert result.long_term_risk == pytest.approx(0.2810)
    assert result.short_term_risk == pytest.approx(0.7070 - 0.9876)
    # Sorted differences: -.2806 -.1514 -.0007 -.0004 -.0004 .0013 .0034 .1550 .2812
    assert result.dispersion == pytest.approx(0.0034 - -0.0007)
    assert result.mean_abs_change == pytest.approx(0.8744 / 9)
    assert result.checkpoint_luck == pytest.approx(0.9895 - 0.9891)


@pytest.mark.parametrize("column", BY_DRAWDOWN)
def test_the_other_columns(column: str) -> None:
    """Only the maximum drawdowns (and batch 32's epoch) are the report's; the curves are not."""
    drawdown, number_of_dips, values = BY_DRAWDOWN[column]
    result = stability(values)
    assert result.max_drawdown == pytest.approx(drawdown, abs=1e-9)
    assert result.dips == number_of_dips
    if column == "batch 32":
        assert (result.max_drawdown_epoch, result.dip_list[0].epoch) == (4, 4)


def test_a_spread_of_the_last_epochs_would_miss_the_dip() -> None:
    assert LR_1E_4[-4:].std() < 0.001 < 0.2 < stability(LR_1E_4).max_drawdown


def test_table_equals_the_single_run_and_the_definitions() -> None:
    curves = random_curves(120, 60)
    table = stability_table(curves)
    assert table["dips"][~np.isnan(table["dips"])].sum() > 50, "the curves must test something"
    assert np.nansum(table["unrecovered_dips"]) > 1
    for row, curve in enumerate(curves):
        single = stability(curve[~np.isnan(curve)])
        expected = by_the_book(curve[~np.isnan(curve)].tolist())
        for name in STATISTICS:
            np.testing.assert_array_equal(table[name][row], getattr(single, name), err_msg=name)
            np.testing.assert_allclose(
                table[name][row], expected[name], rtol=0, atol=1e-12, err_msg=name
            )
        for name in COUNTS:
            assert table[name][row] == getattr(single, name), name


@pytest.mark.parametrize("length", [1, 2, 3, 5, 6, 10, 11, 12, 25, 40])
def test_every_length_against_the_definitions(length: int) -> None:
    random = np.random.default_rng(length)
    curves = np.round(random.random((50, length)), 2)  # rounding makes ties and zero MADs
    table = stability_table(curves)
    for row, curve in enumerate(curves):
        for name, value in by_the_book(curve.tolist()).items():
            np.testing.assert_allclose(table[name][row], value, atol=1e-12, err_msg=name)


def test_ten_thousand_runs_in_under_a_second() -> None:
    curves = random_curves(10_000, 100)
    started = time.process_time()
    stability_table(curves)
    assert time.process_time() - started < 2.0  # 0.3 to 0.7 s; other work shares the cores


@pytest.mark.parametrize("values", [[], [np.nan, np.inf]])
def test_without_epochs_nothing_is_defined(values: list[float]) -> None:
    result = stability(values)
    assert result.n == 0
    assert result.non_finite == len(values)
    assert all(np.isnan(value) for value in result.to_metrics().values())


def test_one_and_two_epochs() -> None:
    one = stability([0.5])
    assert (one.max_drawdown, one.long_term_risk, one.dips) == (0, 0, 0)
    assert np.isnan([one.short_term_risk, one.dispersion, one.mean_abs_change]).all()
    two = stability([0.5, 0.4])
    assert two.short_term_risk == pytest.approx(-0.1)
    assert two.mean_abs_change == pytest.approx(0.1)
    assert two.dispersion == 0
    assert np.isnan(two.checkpoint_luck)


def test_a_run_that_only_rises_is_stable() -> None:
    result = stability(np.linspace(0.5, 0.9, 20))
    assert (result.max_drawdown, result.max_drawdown_epoch) == (0, 0)
    assert (result.dips, result.longest_recovery) == (0, 0)


def test_a_loss_is_negated_and_its_levels_are_not() -> None:
    loss = 1 - LR_1E_4
    result = stability(loss, higher_is_better=False)
    assert result.max_drawdown == pytest.approx(0.2810)
    assert result.short_term_risk == pytest.approx(0.7070 - 0.9876)
    assert result.dip_list[1].level == pytest.approx(1 - 0.7070)
    assert result.dip_list[1].previous_best == pytest.approx(1 - 0.9880)


def test_warmup_leaves_the_first_epochs_out_entirely() -> None:
    result = stability(LR_1E_4, warmup=2)
    assert (result.n, result.warmup) == (8, 2)
    assert [dip.epoch for dip in result.dip_list] == [6]
    assert stability([0.9, 0.1, 0.2, 0.3], warmup=1).max_drawdown == 0
    assert stability(LR_1E_4, warmup=10).n == 0


def test_a_non_finite_epoch_is_left_out_and_keeps_the_others_numbers() -> None:
    values = np.insert(LR_1E_4, 4, np.nan)
    result = stability(values)
    assert (result.n, result.non_finite) == (10, 1)
    assert result.max_drawdown_epoch == 7
    assert [dip.epoch for dip in result.dip_list] == [2, 7]
    np.testing.assert_equal(stability_table(values[None])["max_drawdown"], [result.max_drawdown])


def test_epoch_numbers_of_a_sparse_history() -> None:
    result = stability(LR_1E_4, epochs=np.arange(1, 11) * 5)
    assert [dip.epoch for dip in result.dip_list] == [10, 30]
    assert result.longest_recovery == 5
    with pytest.raises(ValueError, match="ascend"):
        stability([0.1, 0.2], epochs=[2, 1])
    with pytest.raises(ValueError, match="3 numbers for 2 values"):
        stability([0.1, 0.2], epochs=[1, 2, 3])


LEVELS = st.one_of(
    st.floats(0, 1), st.just(0.1), st.sampled_from([np.nan, np.inf, -np.inf, np.finfo(float).max])
)
LOGGED = st.lists(st.tuples(st.integers(0, 40), LEVELS), max_size=40)


@given(LOGGED, st.integers(0, 10))
def test_a_logged_history_counts_as_its_newest_finite_epochs_under_their_own_numbers(
    rows: list[tuple[int, float]], warmup: int
) -> None:
    steps, values = (np.array([row[i] for row in rows], dtype=float) for i in (0, 1))
    newest = {int(step): value for step, value in rows if not warmup or step > warmup}
    finite = {step: v for step, v in sorted(newest.items()) if abs(v) < 1e300}
    found = of_history(History(steps.astype(int), values), warmup=warmup)
    assert (found.n, found.non_finite) == (len(finite), len(newest) - len(finite))
    expected = by_the_book(list(finite.values()))
    for name in STATISTICS:
        if name != "longest_recovery":  # its unit is the epochs' own numbers
            np.testing.assert_allclose(getattr(found, name), expected[name], atol=1e-12)
    of_numbers = list(finite)
    if of_numbers and found.max_drawdown > 0:
        best = np.maximum.accumulate(list(finite.values()))
        at = of_numbers.index(found.max_drawdown_epoch)
        assert best[at] - finite[found.max_drawdown_epoch] == found.max_drawdown
    until = [(dip.recovered_at or of_numbers[-1] + 1) - dip.epoch for dip in found.dip_list]
    assert len(finite) == 0 or found.longest_recovery == max(until, default=0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 5))
def test_step_0_is_an_epoch_and_gaps_change_no_level(values: list[float], gap: int) -> None:
    usual = stability(values)
    for epochs in (np.arange(len(values)), np.arange(len(values)) * gap):
        found = of_history(History(epochs, np.array(values)))
        assert (found.n, found.dips) == (usual.n, usual.dips)
        assert found.max_drawdown == usual.max_drawdown
        if usual.max_drawdown > 0:
            assert found.max_drawdown_epoch == epochs[usual.max_drawdown_epoch - 1]


def test_a_peak_is_no_dip_and_each_epoch_of_a_trough_is_one() -> None:
    assert dips([0.5, 0.5, 0.9, 0.5, 0.5, 0.5, 0.85, 0.5, 0.5]) == ()
    rising = 0.95 - 0.4 * np.exp(-np.arange(30) / 8)
    for length in range(1, 6):
        curve = rising - 0.4 * ((np.arange(30) >= 12) & (np.arange(30) < 12 + length))
        assert [dip.epoch for dip in dips(curve)] == list(range(13, 13 + length))
    longer = rising - 0.4 * ((np.arange(30) >= 12) & (np.arange(30) < 24))
    assert dips(longer) == ()
    assert stability(longer).max_drawdown == pytest.approx(0.4, abs=0.02)


def test_an_unrecovered_dip_is_marked_and_counts_past_the_end() -> None:
    result = stability([0.9, 0.91, 0.92, 0.92, 0.92, 0.92, 0.3, 0.914])
    (dip,) = result.dip_list
    assert (dip.epoch, dip.recovered_at, dip.recovery) == (7, None, None)
    assert (result.unrecovered_dips, result.longest_recovery) == (1, 2)


def test_recovery_needs_the_earlier_best_less_half_a_hundredth() -> None:
    (dip,) = dips([0.80, 0.81, 0.82, 0.82, 0.2, 0.8149, 0.8151, 0.83])
    assert (dip.recovered_at, dip.recovery) == (7, 2)


def test_a_fall_below_the_threshold_is_no_dip() -> None:
    assert dips([0.9, 0.9, 0.9, 0.8901, 0.9, 0.9]) == ()
    assert len(dips([0.9, 0.9, 0.9, 0.8899, 0.9, 0.9])) == 1


def test_one_axis_is_no_table() -> None:
    with pytest.raises(ValueError, match=r"curves: shape \(3,\)"):
        stability_table([0.1, 0.2, 0.3])


def test_every_metric_is_defined_for_readers() -> None:
    assert set(stability(LR_1E_4).to_metrics()) == {
        key for key in DEFINITIONS if key.startswith("stability/")
    }
    assert all(entry.name and entry.formula and entry.source for entry in DEFINITIONS.values())


def test_across_seeds_by_hand() -> None:
    spread = across_seeds([[0.1, 0.9], [0.2, np.nan], [0.3, 0.7], [0.4, np.nan], [0.9, 0.8]])
    assert spread.dispersion == pytest.approx([0.2, 0.1])
    assert spread.risk == pytest.approx([0.1, 0.7])
    assert spread.seeds.tolist() == [5, 3]
    assert spread.risk_is_worst_seed.tolist() == [True, True]


def test_risk_across_twenty_and_forty_seeds() -> None:
    levels = np.linspace(0, 0.39, 40)[:, None]
    assert across_seeds(levels[:20]).risk_is_worst_seed.tolist() == [False]
    assert across_seeds(levels).risk == pytest.approx([0.005])
    assert across_seeds(levels, higher_is_better=False).risk == pytest.approx([0.385])


def test_an_epoch_that_no_seed_reached_has_no_spread() -> None:
    spread = across_seeds([[0.1, np.nan], [0.2, np.nan]])
    assert np.isnan(spread.risk[1]) and np.isnan(spread.dispersion[1])
    assert not spread.risk_is_worst_seed[1]
