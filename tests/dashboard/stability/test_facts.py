"""Rankings, heat maps and hyperparameters, on curves worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from dashboard.stability import facts
from dashboard.stability.figures import draw_by_parameter, draw_crossed, draw_drawdown_map
from dashboard.store.cache import Curve
from tests.dashboard.made import REPORT, curve

STEADY = [0.5, 0.6, 0.7, 0.8]


def params(**lr: str) -> pd.DataFrame:
    return pd.DataFrame({"params.lr": lr, "params.batch_size": dict.fromkeys(lr, "16")})


def test_the_least_stable_run_comes_first() -> None:
    rows = facts.statistics({"a": curve(STEADY), "b": curve(REPORT), "c": curve([])})
    ranked = facts.ranked(rows, "max_drawdown")
    assert ranked.index.tolist() == ["b", "a"]
    assert ranked["max_drawdown"].tolist() == pytest.approx([0.2810, 0.0])
    assert facts.ranked(rows, "short_term_risk").index[0] == "b"


def test_a_declared_warm_up_does_not_count() -> None:
    rows = facts.statistics({"b": curve(REPORT)}, warmup=6)
    assert rows.loc["b", "max_drawdown"] == pytest.approx(0.0011)
    assert rows.loc["b", "n"] == 4


def test_the_map_shows_the_distance_below_the_best_so_far() -> None:
    curves = {"a": curve([0.5, 0.4, 0.6]), "b": Curve(np.array([2]), np.array([0.3]))}
    found = facts.drawdown_map(curves, ["b", "a"])
    assert found.loc["a"].tolist() == pytest.approx([0.0, 0.1, 0.0])
    assert found.index.tolist() == ["b", "a"]
    assert np.isnan(found.loc["b", 1])
    assert facts.dip_places({"r": curve(REPORT)}, ["r"]) == [("r", 2), ("r", 6)]
    figure = draw_drawdown_map(found, {"a": "<i>A"}, [("a", 2)])
    assert figure.layout.yaxis.ticktext == ("b", "&lt;i&gt;A")
    assert list(figure.data[1].x) == [2]


def test_a_statistic_is_set_against_a_parameter() -> None:
    rows = pd.DataFrame({"max_drawdown": {"a": 0.1, "b": 0.2, "c": 0.3}})
    points = facts.by_parameter(rows, params(a="1e-4", b="1e-2"), "lr", "max_drawdown")
    assert points["value"].tolist() == [1e-4, 1e-2]
    assert points["statistic"].tolist() == [0.1, 0.2]
    figure = draw_by_parameter(points, name="lr", statistic="max_drawdown")
    assert figure.layout.xaxis.type == "log"


def test_two_parameters_are_crossed_with_their_number_of_runs() -> None:
    rows = pd.DataFrame({"max_drawdown": {"a": 0.1, "b": 0.3, "c": 0.5}})
    means, counts = facts.crossed(
        rows, params(a="1", b="1", c="2"), ("lr", "batch_size"), "max_drawdown"
    )
    assert means.loc[1.0, 16.0] == pytest.approx(0.2)
    assert counts.loc[1.0, 16.0] == 2
    figure = draw_crossed(means, counts, names=("lr", "batch_size"), statistic="max_drawdown")
    assert figure.data[0].text[0][0] == "0.2000<br>n = 2"


def test_a_searched_parameter_is_crossed_by_ranges() -> None:
    lrs = np.geomspace(1e-5, 1e-2, 40)
    rows = pd.DataFrame({"max_drawdown": {str(i): 0.1 for i in range(40)}})
    given = params(**{str(i): str(lr) for i, lr in enumerate(lrs)})
    means, counts = facts.crossed(rows, given, ("lr", "batch_size"), "max_drawdown")
    assert len(means) == facts.RANGES
    assert counts.to_numpy().sum() == 40


def test_nothing_to_draw_is_said() -> None:
    assert draw_drawdown_map(pd.DataFrame(), {}, []).layout.annotations
    assert facts.statistics({}).empty
