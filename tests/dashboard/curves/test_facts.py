"""What curves show: every epoch, every dip, and tables that can be checked by hand."""

import numpy as np
import pandas as pd
import pytest

from dashboard.curves import facts
from dashboard.curves.figures import draw_bands, draw_curves, draw_pair, top_range
from dashboard.store.cache import Curve
from tests.dashboard.made import REPORT, curve, record
from trainer import exports
from trainer.analysis.stability import stability
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


@pytest.mark.parametrize("metric", ["val/dice", "val/loss", "train/grad_norm", "lr"])
def test_a_log_axis_shows_the_values_and_says_what_has_no_place_on_it(metric: str) -> None:
    infos = facts.curve_infos({"a": curve([0.9, 0.0, 0.01, -1.0])}, {"a": "loss dice"})
    figure = draw_curves(infos, metric=metric, axis="log")
    np.testing.assert_array_equal(figure.data[0].y, [0.9, np.nan, 0.01, np.nan])
    assert (figure.layout.yaxis.type, figure.layout.yaxis.title.text) == ("log", metric)
    assert figure.layout.yaxis.autorange is None
    assert "2 not above 0, which have no place on this axis" in facts.drawn_badge(infos, "log")


def test_the_distance_from_one_is_an_axis_of_scores_alone() -> None:
    infos = facts.curve_infos({"a": curve([0.9, 0.99, 1.0])}, {"a": "loss dice"})
    figure = draw_curves(infos, metric="val/dice", axis="distance from 1")
    np.testing.assert_allclose(figure.data[0].y, [0.1, 0.01, np.nan])
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.yaxis.title.text == "1 − val/dice"
    for metric in ("val/dice", "val/iou/lossy car", "valid_iou", "val_acc"):
        assert facts.axes(metric) == facts.AXES
    for metric in ("val/loss", "lr", "train/grad_norm", "val/foreground_share", "dice_loss"):
        assert "distance from 1" not in facts.axes(metric)


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_a_line_is_broken_where_a_value_is_missing(many: bool, smoothing: float) -> None:
    values = [0.1, np.nan, 0.2, 0.3, np.inf, 0.4]
    curves = {str(i): curve(values) for i in range(60 if many else 1)}
    infos = facts.curve_infos(curves, {}, smoothing=smoothing)
    drawn = draw_curves(infos, metric="val/dice").data[-1]
    first = dict(zip(drawn.x[:6], drawn.y[:6], strict=True))
    assert sorted(first) == [1, 2, 3, 4, 5, 6]
    assert [x for x, y in sorted(first.items()) if np.isnan(y)] == [2, 5]
    assert not drawn.connectgaps
    assert f"{2 * len(infos)} not finite, where the line is broken" in facts.drawn_badge(infos)


def test_the_deepest_fall_is_ringed_where_it_is_no_dip() -> None:
    early = [0.5, 0.7, 0.53, 0.75, 0.8, 0.82, 0.83, 0.84, 0.845, 0.85]
    (info,) = facts.curve_infos({"a": curve(early)}, {})
    assert (info.dips, info.fall.epoch, info.fall.recovered_at) == ((), 3, 4)
    figure = draw_curves([info], metric="val/dice")
    assert (figure.data[1].name, list(figure.data[1].x)) == ("deepest fall", [3])
    assert (
        figure.data[1]
        .text[0]
        .endswith("deepest fall at epoch 3: 0.5300, 0.1700 below the best; recovered at 4")
    )
    (dipped,) = facts.curve_infos({"a": curve(REPORT)}, {})
    assert dipped.fall is None  # It is ringed as a dip.
    (loss,) = facts.curve_infos({"a": curve(early)}, {}, higher_is_better=False)
    assert loss.fall is None


@pytest.mark.parametrize("first", [-3, 0, 1, 7])
@pytest.mark.parametrize("count", [1, 12, 40])
def test_every_step_that_was_logged_lies_in_the_figure(first: int, count: int) -> None:
    logged = Curve(np.arange(first, first + count), np.linspace(0.1, 0.9, count))
    (info,) = facts.curve_infos({"a": logged}, {})
    axis = draw_curves([info], metric="val/dice").layout.xaxis
    low, high = axis.range or (-np.inf, np.inf)
    assert low < first <= first + count - 1 < high
    assert facts.drawn_badge([info]).startswith("every epoch drawn")
    assert stability(logged.values, epochs=logged.steps).n == count


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
