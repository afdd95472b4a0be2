"""What curves show: every epoch, every dip, and tables that can be checked by hand."""

import numpy as np
import pandas as pd
import pytest

from dashboard.curves import facts
from dashboard.curves.figures import draw_bands, draw_curves, draw_pair, top_range
from tests.dashboard.made import REPORT, curve, record
from trainer import exports
from trainer.tracking.reading import runs_table


# The first report's column for lr = 1e-4: two dips, at epochs 2 and 6.
def test_the_reports_dips_are_marked() -> None:
    (info,) = facts.curve_infos({"a": curve(REPORT)}, {"a": "A"})
    assert [dip.epoch for dip in info.dips] == [2, 6]
    assert info.bucket == 1
    figure = draw_curves([info], metric="val/dice")
    assert list(figure.data[0].y) == REPORT
    assert list(figure.data[0].customdata[1]) == ["a", 2, 0.8296]
    assert list(figure.data[1].x) == [2, 6]


def test_thinning_keeps_the_lowest_and_highest_of_every_bucket() -> None:
    rng = np.random.default_rng(1)
    many = {}
    for number in range(30):
        values = rng.uniform(0.8, 0.9, 5000)
        values[rng.integers(5000)] = 0.1
        many[str(number)] = curve(values.tolist())
    infos = facts.curve_infos(many, {}, points=6000, mark_dips=False)
    assert sum(info.values.size for info in infos) <= 6000
    assert all(info.values.min() == 0.1 for info in infos)
    assert "no dip hidden" in facts.drawn_badge(infos)


def test_values_that_are_not_finite_are_counted_and_left_out() -> None:
    (info,) = facts.curve_infos({"a": curve([0.1, np.nan, np.inf, 0.4])}, {})
    assert info.values.tolist() == [0.1, 0.4]
    assert info.steps.tolist() == [1, 4]
    assert "2 not finite" in facts.drawn_badge([info])


def test_smoothing_keeps_the_raw_curve() -> None:
    (info,) = facts.curve_infos({"a": curve([0.0, 1.0])}, {}, smoothing=0.5)
    assert info.smooth is not None
    # Weights 1 and 1/2 of the past: (0.5 * 0 + 1) / 1.5.
    assert info.smooth.tolist() == pytest.approx([0.0, 2 / 3])
    assert info.values.tolist() == [0.0, 1.0]
    assert len(draw_curves([info], metric="x").data) == 2


def test_a_run_without_the_metric_and_one_of_one_epoch_are_no_error() -> None:
    infos = facts.curve_infos({"a": curve([]), "b": curve([0.5])}, {})
    figure = draw_curves(infos, metric="val/dice")
    assert figure.data[0].mode == "lines+markers"
    assert "logged" in draw_curves([], metric="val/dice").layout.annotations[0].text


def test_a_name_is_never_markup_in_a_figure() -> None:
    (info,) = facts.curve_infos({"a": curve([0.1, 0.2])}, {"a": "<b>x</b>"})
    assert draw_curves([info], metric="m").data[0].name == "&lt;b&gt;x&lt;/b&gt;"


def test_many_curves_share_a_trace_for_each_colour() -> None:
    infos = facts.curve_infos({str(i): curve([0.1, 0.2]) for i in range(100)}, {})
    assert len(draw_curves(infos, metric="m").data) <= 8


def test_a_band_runs_from_the_lowest_to_the_highest_seed() -> None:
    found = {"a": curve([0.5, 0.7]), "b": curve([0.6]), "c": curve([0.9, 0.9])}
    first, second = facts.seed_bands(found, {"a": "g", "b": "g"}, {"g": "G"})
    assert (first.label, first.mean.tolist()) == ("G", pytest.approx([0.55, 0.7]))
    assert (first.low.tolist(), first.high.tolist()) == ([0.5, 0.7], [0.6, 0.7])
    assert first.spread.seeds.tolist() == [2, 1]
    assert second.run_ids == ("c",)
    assert "n = 2" in draw_bands([first, second], metric="m").data[1].name


def test_the_spread_over_seeds_is_that_of_the_last_epoch_that_most_reached() -> None:
    found = {"a": curve([0.5, 0.7]), "b": curve([0.6, 0.8, 0.9]), "c": curve([0.9, 0.9])}
    bands = facts.seed_bands(found, {"a": "g", "b": "g"}, {"g": "G"})
    table = facts.seed_table(bands)
    assert list(table.index) == ["G"]  # one seed has no spread
    *numbers, risk_is = table.loc["G"]
    assert numbers == pytest.approx([2, 2, 0.75, 0.05, 0.7])
    assert risk_is == "worst seed"
    (loss, _) = facts.seed_bands(found, {"a": "g", "b": "g"}, {"g": "G"}, higher_is_better=False)
    assert facts.seed_table([loss]).loc["G", "risk"] == pytest.approx(0.8)
    assert facts.seed_table([]).empty


def test_train_is_drawn_against_validation_in_one_colour() -> None:
    infos = facts.curve_infos({"a": curve([0.1, 0.2])}, {"a": "A"})
    figure = draw_pair(infos, infos, name="dice")
    assert figure.data[0].line.color == figure.data[1].line.color
    assert figure.data[0].line.dash == "dot"


def test_the_log_axis_of_a_score_shows_its_distance_from_one() -> None:
    infos = facts.curve_infos({"a": curve([0.9, 0.99])}, {"a": "A"})
    figure = draw_curves(infos, metric="val/dice", log=True)
    assert list(figure.data[0].y) == pytest.approx([0.1, 0.01])
    assert figure.layout.yaxis.type == "log"


def test_the_zoom_to_the_top_holds_the_best_values() -> None:
    low, high = top_range([np.linspace(0, 1, 101)])
    assert low < 0.75 < 1.0 < high


def test_the_epoch_table_is_that_of_the_reports() -> None:
    table = facts.epoch_table({"a": curve([0.5, 0.6]), "b": curve([0.7])}, {"a": "A", "b": "B"})
    assert table.columns.tolist() == ["A", "B"]
    assert table.loc[1].tolist() == [0.5, 0.7]
    assert np.isnan(table.loc[2, "B"])
    assert exports.markdown(table) == (
        "| epoch | A | B |\n| ---: | ---: | ---: |\n| 1 | 0.5000 | 0.7000 |\n| 2 | 0.6000 |  |"
    )
    assert r"1 & 0.5000 & 0.7000 \\" in exports.latex(table)
    assert exports.csv(table).splitlines()[1] == "1,0.5,0.7"


def test_counts_are_exported_whole() -> None:
    table = pd.DataFrame({"dice": [0.5, np.nan], "dips": [3.0, np.nan]}, index=["a", "b"])
    assert "| a | 0.5000 | 3 |\n| b |  |  |" in exports.markdown(table, whole=("dips",))
    assert r"a & 0.5000 & 3 \\" in exports.latex(table, whole=("dips",))


def test_a_small_number_is_not_exported_as_nought() -> None:
    table = pd.DataFrame({"lr": [5e-5, 0.0]}, index=["a", "b"])
    assert "| a | 5e-05 |\n| b | 0.0000 |" in exports.markdown(table)
    assert r"a & 5e-05 \\" in exports.latex(table)


def test_exported_names_are_harmless() -> None:
    table = pd.DataFrame({"=SUM(A1)": [1.0], "50 %_x": [2.0]})
    assert exports.csv(table).startswith(",'=SUM(A1)")
    assert r"50 \%\_x" in exports.latex(table)


def test_labels_tell_what_differs_and_are_unique() -> None:
    runs = runs_table(
        [
            record("aaaaaaaa", params={"lr": "1"}),
            record("bbbbbbbb", params={"lr": "1"}),
            record("cccccccc", params={"lr": "2"}),
        ]
    )
    labels = facts.configuration_labels(runs, ["lr"])
    assert labels["cccccccc"] == "lr 2"
    assert labels["aaaaaaaa"] == "lr 1 · aaaaaa"
    assert len(set(labels.values())) == 3
