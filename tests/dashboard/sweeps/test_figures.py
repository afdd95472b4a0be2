"""What a sweep's figures show: empty, failed and pruned first, then one trial, NaN, mixed axes."""

from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

from dashboard.store.cache import Curve
from dashboard.sweeps import facts, figures
from dashboard.sweeps import parameter_figures as parameters_drawing
from dashboard.sweeps import table as sweep_table
from sweeps import reading
from sweeps.reading import FANOVA, PED_ANOVA, importances
from sweeps.trials import Parameter, trials_table

LR = Parameter(name="lr", log=True, low=1e-5, high=1e-1)
BATCH = Parameter(name="batch_size", choices=(4, 8, 16))
SIZE = Parameter(name="image_size", choices=("160x240", "320x480"))
DEPTH = Parameter(name="depth")
NOW = pd.Timestamp("2026-11-21 12:00", tz="UTC")


def trials(*rows: dict[str, Any], parameters: tuple[Parameter, ...] = (LR, BATCH)) -> pd.DataFrame:
    """Return a table of trials; what a row leaves out is as in a complete trial."""
    filled = []
    for number, row in enumerate(rows):
        start = NOW - pd.Timedelta(minutes=60 - number)
        usual = {
            "number": number,
            "state": "complete",
            "epochs": 3,
            "run_ids": [],
            "params": {},
            "started": start,
            "ended": start + pd.Timedelta(seconds=30),
        }
        whole = usual | row
        if whole["state"] == "complete":
            whole.setdefault("reached", whole.get("value"))
        filled.append(whole)
    table = trials_table(filled, [p.name for p in parameters])
    return table.assign(max_drawdown=[row.get("max_drawdown", np.nan) for row in filled])


NOTHING = trials()
FAILED = trials(
    {"state": "failed", "reason": "loss is nan", "params": {"lr": 0.1, "batch_size": 4}}
)
PRUNED = trials({"state": "pruned", "reached": 0.4, "params": {"lr": 1e-4, "batch_size": 8}})
ONE = trials({"value": 0.9, "max_drawdown": 0.1, "params": {"lr": 1e-3, "batch_size": 8}})
MIXED = trials(
    {"value": 0.80, "max_drawdown": 0.02, "params": {"lr": 1e-4, "batch_size": 4}},
    {"value": 0.95, "max_drawdown": 0.20, "params": {"lr": 1e-3, "batch_size": 8}},
    {"state": "pruned", "reached": 0.5, "params": {"lr": 1e-5, "batch_size": 16}},
    {"state": "failed", "reason": "out of memory", "params": {"lr": 1e-1, "batch_size": 16}},
    {"value": 0.90, "max_drawdown": 0.01, "params": {"lr": 1e-2, "batch_size": 4}},
    {"state": "running", "ended": None, "reached": 0.3, "params": {"lr": 2e-3, "batch_size": 8}},
)


def said(figure: Any) -> str:
    return " ".join(a.text for a in figure.layout.annotations)


def marks(figure: Any, state: str) -> Any:
    return next(t for t in figure.data if t.mode == "markers" and t.name.startswith(state))


def every_figure(table: pd.DataFrame) -> list[Any]:
    both = (LR, BATCH)
    return [
        figures.draw_history(table, both, metric="val/dice", chosen=0),
        figures.draw_history(table, both, metric="val/dice", top=True),
        figures.draw_timeline(table, now=NOW, zone="Europe/Berlin"),
        figures.draw_pareto(
            table, both, cost="max_drawdown", cost_name="drawdown", metric="val/dice", chosen=0
        ),
        figures.draw_trial_curves(table, {}, metric="val/dice"),
        parameters_drawing.draw_parallel(table, both, metric="val/dice"),
        parameters_drawing.draw_slices(table, both, metric="val/dice"),
        parameters_drawing.draw_slices(table, both, metric="max drawdown", column="max_drawdown"),
        parameters_drawing.draw_contour(table, LR, BATCH, metric="val/dice"),
    ]


@pytest.mark.parametrize("table", [NOTHING, FAILED, PRUNED, ONE, MIXED])
def test_every_figure_draws_whatever_there_is(table: pd.DataFrame) -> None:
    for figure in every_figure(table):
        figure.to_json()


def test_without_trials_the_figures_say_so() -> None:
    assert all(said(figure) for figure in every_figure(NOTHING))


def test_without_a_complete_trial_only_what_needs_one_is_empty() -> None:
    for table in (FAILED, PRUNED):
        history, _, timeline, pareto, *_ = every_figure(table)
        assert not said(history) and not said(timeline)
        assert "No complete trial" in said(pareto)


def test_states_differ_by_shape() -> None:
    drawn = figures.draw_history(MIXED, (LR, BATCH), metric="val/dice")
    shapes = [marks(drawn, s).marker.symbol for s in ("complete", "pruned", "failed", "running")]
    assert len(set(shapes)) == 4
    timeline = figures.draw_timeline(MIXED, now=NOW, zone="UTC")
    assert len({bar.marker.pattern.shape for bar in timeline.data}) == 4


def test_best_so_far_passes_over_what_has_no_value() -> None:
    best = facts.best_so_far(MIXED["value"])
    assert best.to_dict() == {0: 0.80, 1: 0.95, 4: 0.95}


def test_history_puts_pruned_where_they_got_to_and_failed_on_the_floor() -> None:
    drawn = figures.draw_history(MIXED, (LR, BATCH), metric="val/dice")
    assert list(marks(drawn, "pruned").y) == [0.5]
    assert list(marks(drawn, "running").y) == [0.3]
    assert marks(drawn, "failed").y[0] < 0.3
    assert "out of memory" in marks(drawn, "failed").text[0]
    assert list(marks(drawn, "complete").customdata[1]) == [1]


def test_a_hostile_reason_is_shown_not_rendered() -> None:
    table = trials({"state": "failed", "reason": "<img src=x onerror=alert(1)>"})
    drawn = figures.draw_history(table, (LR, BATCH), metric="val/dice")
    assert "<img" not in marks(drawn, "failed").text[0]
    assert "&lt;img" in marks(drawn, "failed").text[0]


def test_the_front_by_hand() -> None:
    table = trials(
        {"value": 0.95, "max_drawdown": 0.20},
        {"value": 0.90, "max_drawdown": 0.01},
        {"value": 0.80, "max_drawdown": 0.02},  # Beaten by 1 in both.
        {"value": 0.90, "max_drawdown": 0.01},  # Equal to 1: neither beats the other.
        {"value": 0.99, "max_drawdown": np.nan},
        {"state": "pruned"},
    )
    front = facts.pareto_front(table, "max_drawdown")
    assert front.tolist() == [True, True, False, True, False, False]


def test_the_front_agrees_with_optuna() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(60, 2)).round(2)
    study = optuna.create_study(directions=["maximize", "minimize"])
    study.add_trials(optuna.trial.create_trial(values=list(map(float, p))) for p in points)
    table = trials(*({"value": v, "max_drawdown": c} for v, c in points))
    front = np.flatnonzero(facts.pareto_front(table, "max_drawdown"))
    assert set(front) == {trial.number for trial in study.best_trials}


def test_a_category_is_a_place_and_a_logarithm_a_power() -> None:
    batch = facts.axis(MIXED, BATCH)
    assert batch.labels == ["4", "8", "16"]
    assert batch.values.tolist() == [0, 1, 2, 2, 0, 1]
    lr = facts.axis(MIXED, LR)
    assert lr.log and lr.values[0] == pytest.approx(-4)
    assert lr.labels == ["1e-05", "0.0001", "0.001", "0.01", "0.1"]
    short = facts.axis(trials({"params": {"lr": 1e-3}}, {"params": {"lr": 1e-2}}), LR)
    assert short.labels == ["0.001", "0.002", "0.005", "0.01"]


def test_the_landscape_meets_the_trials_and_stays_near_them() -> None:
    table = trials(
        {"value": 0.2, "params": {"lr": 1e-4, "depth": 2}},
        {"value": 0.8, "params": {"lr": 1e-1, "depth": 4}},
        parameters=(LR, DEPTH),
    )
    found = facts.landscape(table, LR, DEPTH, "value")
    assert found.numbers and found.z.shape == (len(found.y), len(found.x))
    assert found.x[0] == pytest.approx(1e-4) and found.x[-1] == pytest.approx(1e-1)
    assert found.z[0, 0] == pytest.approx(0.2, abs=1e-3)
    assert found.z[-1, -1] == pytest.approx(0.8, abs=1e-3)
    assert np.isnan(found.z[0, -1]), "no trial is near this corner"


def test_categories_are_not_interpolated() -> None:
    table = trials(
        {"value": 0.2, "params": {"batch_size": 4, "image_size": "160x240"}},
        {"value": 0.4, "params": {"batch_size": 4, "image_size": "160x240"}},
        {"value": 0.9, "params": {"batch_size": 8, "image_size": "320x480"}},
        parameters=(BATCH, SIZE),
    )
    found = facts.landscape(table, BATCH, SIZE, "value")
    assert found.x == ["4", "8", "16"] and found.y == ["160x240", "320x480"]
    assert found.z[0, 0] == pytest.approx(0.3) and found.z[1, 1] == pytest.approx(0.9)
    assert np.isnan(found.z[0, 1]) and np.isnan(found.z[0, 2])


def test_pruned_curves_end_in_a_mark_at_their_last_finite_epoch() -> None:
    curves = {
        0: Curve(np.array([1, 2, 3]), np.array([0.5, 0.6, 0.8])),
        2: Curve(np.array([1, 2]), np.array([0.5, np.nan])),
    }
    drawn = figures.draw_trial_curves(MIXED, curves, metric="val/dice", chosen=0)
    end = next(t for t in drawn.data if t.name == "end, pruned")
    assert (list(end.x), list(end.y), end.marker.symbol) == ([1], [0.5], "triangle-down-open")


def test_a_running_trial_lasts_until_now_and_a_dead_one_has_no_length() -> None:
    table = trials({"state": "running", "ended": None}, {"state": "stopped", "ended": None})
    bars = facts.timeline(table, NOW)
    assert (bars["finish"] - bars["begin"]).dt.total_seconds().tolist() == [3600, 0]


def many(number: int = 30) -> pd.DataFrame:
    """Return trials whose score the learning rate decides alone, and the drawdown the batch."""
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(number):
        lr, batch = float(10 ** rng.uniform(-5, -1)), int(rng.choice([4, 8, 16]))
        rows.append(
            {
                "value": 1 - 0.1 * abs(np.log10(lr) + 3),
                "max_drawdown": batch / 100,
                "params": {"lr": lr, "batch_size": batch},
            }
        )
    return trials(*rows)


@pytest.mark.parametrize("evaluator", [PED_ANOVA, FANOVA])
def test_importance_finds_what_matters_for_score_and_drawdown(evaluator: str) -> None:
    table = many(150)
    score = importances(table, (LR, BATCH), "value", higher_is_better=True, evaluator=evaluator)
    drawdown = importances(
        table, (LR, BATCH), "max_drawdown", higher_is_better=False, evaluator=evaluator
    )
    assert score is not None and drawdown is not None
    assert score["lr"] > 0.7 and drawdown["batch_size"] > 0.7
    assert sum(score.values()) == pytest.approx(1)


def test_importance_stays_silent_on_too_few_or_nothing_that_varies() -> None:
    few = many(5)
    for evaluator in (PED_ANOVA, FANOVA):
        for table in (NOTHING, FAILED, ONE, few):
            assert (
                importances(table, (LR, BATCH), "value", higher_is_better=True, evaluator=evaluator)
                is None
            )
    same = many().assign(value=0.5)
    assert importances(same, (LR,), "value", higher_is_better=True, evaluator=FANOVA) is None
    assert "too few" in said(parameters_drawing.draw_importance({"a": {}}, evaluator=PED_ANOVA))
    assert reading.ENOUGH[PED_ANOVA] == 20


def test_measures_are_means_over_a_trials_runs() -> None:
    overview = pd.DataFrame(
        {"max_drawdown": [0.1, 0.3], "best_miou": [0.5, 0.7], "minutes": [1.0, 2.0]},
        index=["a", "b"],
    )
    table = trials({"run_ids": ["a", "b"]}, {"run_ids": []}, {"run_ids": ["gone"]})
    found = sweep_table.with_measures(table.drop(columns="max_drawdown"), overview)
    assert found["max_drawdown"].tolist()[0] == pytest.approx(0.2)
    assert found["minutes"].tolist()[0] == pytest.approx(3)
    assert found["max_drawdown"].isna().tolist() == [False, True, True]
