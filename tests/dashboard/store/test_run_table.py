"""The table of runs and its groups, on frames worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from dashboard.store import run_table
from dashboard.store.cache import Curve
from tests.dashboard.made import record
from trainer.tracking.reading import runs_table
from trainer.tracking.records import RunRecord

NOW = pd.Timestamp("2026-01-02", tz="UTC")


def test_scores_come_from_the_summary_of_a_finished_run() -> None:
    metrics = {
        "best/val_dice": 0.9,
        "val/dice": 0.8,
        "stability/max_drawdown": 0.1,
        "stability/dips": 1.0,
        "best/val_miou": 0.85,
    }
    row = run_table.overview(runs_table([record("a", metrics=metrics)]), now=NOW).loc["a"]
    assert (row["best"], row["last"], row["max_drawdown"]) == (0.9, 0.8, 0.1)
    assert (row["headline"], row["best_dice"], row["best_miou"]) == ("val/dice", 0.9, 0.85)
    assert row["minutes"] == pytest.approx(1.0)


def test_scores_are_of_what_the_run_monitored() -> None:
    metrics = {
        "best/val_dice": 0.9,
        "best/val_miou": 0.85,
        "val/dice": 0.8,
        "val/miou": 0.7,
        "stability/max_drawdown": 0.1,
        "stability/dips": 1.0,
    }
    params = {"monitor": "val/miou"}
    tags = {"segscope.stability_of": "val/miou"}
    runs = runs_table(
        [
            record("new", params=params, metrics=metrics, tags=tags),
            # An earlier version's statistics are of Dice, whatever the run monitored.
            record("old", params=params, metrics=metrics),
            record("dice", metrics=metrics),
        ]
    )
    assert run_table.without_summary(runs) == ["old"]
    curves = {"old": Curve(np.arange(1, 5), np.array([0.5, 0.85, 0.65, 0.7]))}
    table = run_table.overview(runs, curves, now=NOW)
    assert table["best"].to_dict() == {"new": 0.85, "old": 0.85, "dice": 0.9}
    assert table["last"].to_dict() == {"new": 0.7, "old": 0.7, "dice": 0.8}
    assert table["max_drawdown"].tolist() == pytest.approx([0.1, 0.2, 0.1])


@pytest.mark.parametrize("state", [{"status": "RUNNING", "end": None}, {}])
def test_scores_of_a_run_without_an_end_come_from_its_curve(state: dict[str, object]) -> None:
    # A run that went on after its first end still has what it wrote then.
    metrics = {"val/dice": 0.7, "best/val_dice": 0.6, "stability/max_drawdown": 0.0}
    given = {"tags": {"segscope.outcome": "interrupted"}} | state
    runs = runs_table([record("a", metrics=metrics, **given)])
    curves = {"a": Curve(np.arange(1, 5), np.array([0.5, 0.9, 0.6, 0.7]))}
    row = run_table.overview(runs, curves, now=NOW).loc["a"]
    assert (row["best"], row["best_dice"], row["last"]) == (0.9, 0.9, 0.7)
    assert row["max_drawdown"] == pytest.approx(0.3)
    assert row["curve"].tolist() == [0.5, 0.9, 0.6, 0.7]
    assert run_table.without_summary(runs) == ["a"]


def test_another_programs_run_has_the_scores_of_its_headline_if_any() -> None:
    runs = runs_table(
        [
            record("a", metrics={"loss": 0.1}),
            record("b", start=None, end=None),
            record("c", metrics={"val_dice_coef": 0.4}),
        ]
    )
    assert run_table.without_summary(runs) == ["c"]
    curves = {"c": Curve(np.arange(1, 3), np.array([0.5, 0.4]))}
    table = run_table.overview(runs, curves, now=NOW)
    assert table["best_dice"].isna().all()
    assert table.loc["c", ["best", "last"]].tolist() == [0.5, 0.4]
    assert table.loc[["a", "b"], "best"].isna().all()
    assert pd.isna(table.loc["b", "minutes"])


def test_an_empty_store_gives_an_empty_table() -> None:
    assert run_table.overview(runs_table([]), now=NOW).empty


def test_groups_have_mean_and_sample_deviation_over_runs() -> None:
    runs = runs_table(
        [
            record(name, params={"lr": lr}, metrics={"best/val_dice": dice, "val/dice": 0})
            for name, lr, dice in [("a", "1", 0.90), ("b", "1", 0.94), ("c", "2", 0.95)]
        ]
    )
    rows, _ = run_table.grouped(run_table.overview(runs, now=NOW), ["lr"])
    assert rows["lr"].tolist() == ["2", "1"]
    assert rows["runs"].tolist() == [1, 2]
    assert rows["best"].tolist() == pytest.approx([0.95, 0.92])
    assert np.isnan(rows["best_spread"].iloc[0])
    assert rows["best_spread"].iloc[1] == pytest.approx(0.04 / np.sqrt(2))
    rows, _ = run_table.grouped(run_table.overview(runs, now=NOW), ["lr"], spread="iqr")
    assert rows["best_spread"].iloc[1] == pytest.approx(0.02)


def test_runs_of_different_headlines_are_different_groups() -> None:
    metrics = {"best/val_dice": 0.9, "best/val_miou": 0.5, "val/dice": 0.0, "val/miou": 0.0}
    runs = runs_table(
        [
            record(monitor, params={"lr": "1", "monitor": monitor}, metrics=metrics)
            for monitor in ("val/miou", "val/dice")
        ]
    )
    rows, _ = run_table.grouped(run_table.overview(runs, now=NOW), ["lr"])
    assert rows["headline"].tolist() == ["val/dice", "val/miou"]
    assert rows["best"].tolist() == [0.9, 0.5]


def test_a_group_is_of_one_data_set_and_of_trainings_that_ended() -> None:
    def run(run_id: str, dice: float, data: str = "a", **given: object) -> RunRecord:
        tags = {"segscope.data_digest": data, "segscope.data": f"/there/{data[0]}"}
        tags |= {"segscope.outcome": "completed"} | given.pop("tags", {})  # type: ignore[operator]
        metrics = {"best/val_dice": dice, "val/dice": 0.0}
        return record(run_id, params={"lr": "1"}, metrics=metrics, tags=tags, **given)

    runs = runs_table(
        [
            run("1", 0.9),
            run("2", 0.8, tags={"segscope.outcome": "early-stopped"}),
            run("other data of that name", 0.5, "ab"),
            run("other data", 0.3, "b"),
            run("cut off", 0.1, status="KILLED", tags={"segscope.outcome": "interrupted"}),
            run("pruned", 0.1, status="KILLED", tags={"segscope.outcome": "pruned"}),
            run("failed", 0.1, status="FAILED", tags={"segscope.outcome": "failed"}),
            run("going on", 0.1, status="RUNNING", end=None),
            run("a sweep", 0.95, tags={"segscope.kind": "sweep"}),
        ]
    )
    table = run_table.overview(runs, now=NOW)
    rows, _ = run_table.grouped(table, ["lr"])
    assert rows["data"].tolist() == ["a · a", "a · ab", "b"]
    assert rows["runs"].tolist() == [2, 1, 1]
    assert rows["best"].tolist() == pytest.approx([0.85, 0.5, 0.3])
    rows, _ = run_table.grouped(table.loc[["1", "other data"]], ["lr"])
    assert rows["data"].tolist() == ["a", "b"]


def test_a_sparkline_never_loses_a_dip_of_one_epoch() -> None:
    rng = np.random.default_rng(0)
    for place in rng.integers(0, 1000, 50):
        values = np.full(1000, 0.9)
        values[place] = 0.3
        thin = run_table.thinned(values)
        assert thin.size <= run_table.SPARKLINE_POINTS
        assert thin.min() == 0.3


def test_the_ema_best_does_not_follow_one_lucky_epoch() -> None:
    steady = np.full(20, 0.8)
    lucky = steady.copy()
    lucky[10] = 0.99
    lucky_first = np.append(0.99, steady[1:])
    short = np.where(np.arange(20) < 3, 0.5, np.nan)
    best = run_table.ema_best(np.stack([steady, lucky, short, np.full(20, np.nan), lucky_first]))
    assert best[0] == pytest.approx(0.8)
    assert 0.8 < best[1] < 0.9
    assert best[2] == pytest.approx(0.5)
    assert np.isnan(best[3])
    assert 0.8 < best[4] < 0.85


def test_the_ema_is_that_of_pandas() -> None:
    curves = np.random.default_rng(0).uniform(0, 1, (5, 40))
    average = pd.DataFrame(curves.T).ewm(alpha=1 - run_table.EMA_WEIGHT).mean()
    np.testing.assert_allclose(run_table.ema_best(curves), average[2:].max().to_numpy())
    for epochs in (1, 2):
        found = run_table.ema_best(curves[:, :epochs])
        np.testing.assert_allclose(found, average.to_numpy()[epochs - 1])


def test_search_wants_every_word_somewhere() -> None:
    runs = runs_table(
        [
            record("aaa", name="UNet small", params={"lr": "0.001"}, tags={"note 1": "rainy"}),
            record("bbb", name="UNet large", params={"lr": "0.1"}),
        ]
    )
    assert run_table.search(runs, "unet RAINY").tolist() == [r == "aaa" for r in runs.index]
    assert run_table.search(runs, "0.1 unet").tolist() == [r == "bbb" for r in runs.index]
    assert not run_table.search(runs, "unet (").any()
    assert run_table.search(runs, "bbb").sum() == 1


def test_parameters_that_differ_leave_out_the_seed() -> None:
    runs = runs_table(
        [
            record("a", params={"lr": "1", "seed": "0", "model": "unet"}),
            record("b", params={"lr": "2", "seed": "1", "model": "unet"}),
            record("c"),
        ]
    )
    assert run_table.differing_parameters(runs) == ["lr"]


def test_parameters_of_numbers_sort_as_numbers() -> None:
    runs = runs_table([record("a", params={"lr": "1e-4", "loss": "bce"}), record("b")])
    table = run_table.numeric_parameters(runs)
    assert table.loc["a", "params.lr"] == 1e-4
    assert table.loc["a", "params.loss"] == "bce"
