"""The page that takes one epoch apart: its moment, what fell, its figures."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.curves.facts import notable_epochs
from dashboard.dip import facts
from dashboard.dip.figures import draw_changes, draw_epoch_choice
from tests.dashboard.made import REPORT, curve
from trainer.analysis.dips import dips
from trainer.evaluation.results import BestEpoch
from trainer.tracking import reading

Open = Callable[..., AppTest]


def rows_of(dice: dict[int, dict[str, list[float]]], classes: list[str]) -> pd.DataFrame:
    """Return per-image rows of 100 foreground pixels: epoch → image → Dice by class."""
    made = [
        {
            "epoch": epoch,
            "image": image,
            "class": name,
            "tp": round(100 * value),
            "fp": 100 - round(100 * value),
            "fn": 100 - round(100 * value),
            "dice": value,
            "iou": value / (2 - value),
        }
        for epoch, images in dice.items()
        for image, values in images.items()
        for name, value in zip(classes, values, strict=True)
    ]
    frame = pd.DataFrame(made)
    return frame.astype({"image": "category", "class": pd.CategoricalDtype(classes)})


BINARY = rows_of(
    {
        5: {"a": [0.99, 0.98], "b": [0.99, 0.90], "c": [0.99, 0.80]},
        6: {"a": [0.50, 0.02], "b": [0.99, 0.60], "c": [0.99, 0.85]},
        7: {"a": [0.99, 0.97], "b": [0.99, 0.91], "c": [0.99, 0.86]},
    },
    ["background", "car"],
)


def test_the_deepest_dip_is_opened_first() -> None:
    assert facts.default_epoch(curve(REPORT)) == 6


def test_without_a_dip_the_largest_drawdown_is_and_else_the_last_epoch() -> None:
    assert facts.default_epoch(curve([0.5, 0.6, 0.595, 0.61])) == 3
    assert facts.default_epoch(curve([0.5, 0.6, 0.7])) == 3
    assert facts.default_epoch(curve([0.5, float("nan")])) is None
    assert facts.default_epoch(curve([])) is None


def test_a_dip_lies_between_its_neighbours_or_its_best_and_recovery() -> None:
    shown = facts.moment(curve(REPORT), 6)
    assert shown is not None and shown.dip is not None
    assert shown.epochs == [5, 6, 7] and shown.names == ["before", "at", "after"]
    assert (shown.level_before, shown.level, shown.level_after) == (0.9876, 0.7070, 0.9882)
    best = facts.moment(curve(REPORT), 6, "the best before")
    assert best is not None and best.epochs == [4, 6, 7]


def test_a_slow_recovery_is_what_comes_after() -> None:
    values = [0.90, 0.91, 0.915, 0.92, 0.925, 0.70, 0.88, 0.90, 0.93, 0.93, 0.93]
    shown = facts.moment(curve(values), 6)
    assert shown is not None and shown.after == 9


def test_the_first_epoch_has_nothing_before_and_the_last_nothing_after() -> None:
    report = curve(REPORT)
    assert facts.moment(report, 1) is None
    assert facts.moment(report, 99) is None
    last = facts.moment(report, 10)
    assert last is not None and last.after is None and last.epochs == [9, 10]
    assert last.names == ["before", "at"] and np.isnan(last.level_after)


def test_epochs_without_a_number_are_passed_over() -> None:
    shown = facts.moment(curve([0.9, float("nan"), 0.7, float("inf"), 0.9]), 3)
    assert shown is not None and shown.epochs == [1, 3, 5]


def test_images_are_sorted_by_their_fall() -> None:
    shown = facts.moment(curve(REPORT), 6)
    assert shown is not None
    changes = facts.image_changes(BINARY, shown)
    assert list(changes.index) == ["a", "b", "c"]
    np.testing.assert_allclose(changes["fall"], [0.96, 0.30, -0.05])
    assert changes.columns.tolist() == ["before", "at", "after", "fall"]
    background = facts.image_changes(BINARY, shown, "background")
    np.testing.assert_allclose(background.loc["a", "fall"], 0.49)


def test_classes_are_scored_over_the_whole_split_and_counted() -> None:
    shown = facts.moment(curve(REPORT), 6)
    assert shown is not None
    table = facts.class_changes(BINARY, shown)
    assert list(table.index) == ["car"]  # Of two classes the background hardly moves.
    assert table.loc["car", "before"] == pytest.approx((98 + 90 + 80) / 300)
    assert table.loc["car", "at"] == pytest.approx((2 + 60 + 85) / 300)
    assert table.loc["car", "fell"] == 2 and table.loc["car", "lost"] == 1


def test_an_epoch_after_that_was_not_kept_is_left_blank() -> None:
    shown = facts.moment(curve(REPORT), 6)
    assert shown is not None
    kept = BINARY[BINARY["epoch"] < 7]
    assert facts.image_changes(kept, shown)["after"].isna().all()
    assert facts.class_changes(kept, shown)["after"].isna().all()
    assert len(facts.what_fell(kept, shown)) == 2
    assert facts.what_fell(kept.iloc[:0], shown) == ()


def test_notable_epochs_are_kept_when_some_are_left_out() -> None:
    best = BestEpoch(epoch=8, metric="val/dice")
    assert notable_epochs(curve(REPORT), best) == {1, 2, 3, 5, 6, 7, 8}
    assert notable_epochs(curve([]), None) == set()


def test_the_figure_draws_every_epoch_as_a_point_to_click() -> None:
    report = curve(REPORT)
    found = dips(report.values, epochs=report.steps)
    others = {"train/grad_norm": curve([1.0] * 10), "lr": curve([1e-4] * 10)}
    figure = draw_epoch_choice(report, others, found, facts.moment(report, 6), metric="val/dice")
    score, norm, lr, ringed = figure.data
    assert "markers" in score.mode and list(score.x) == list(range(1, 11))
    assert list(norm.x) == list(lr.x) == list(range(1, 11))
    assert list(ringed.x) == [2, 6]
    assert {shape.x0 for shape in figure.layout.shapes} == {5, 6, 7}
    assert figure.layout.yaxis3.range[0] == 0  # A constant rate lies on a scale of its own size.


def test_the_figure_without_values_or_other_metrics() -> None:
    assert draw_epoch_choice(curve([]), {}, (), None, metric="val/dice").layout.annotations
    alone = draw_epoch_choice(curve([0.5, 0.6]), {"lr": curve([])}, (), None, metric="val/dice")
    assert len(alone.data) == 1


def test_changes_draw_a_segment_an_image_and_the_largest_fall_on_top() -> None:
    shown = facts.moment(curve(REPORT), 6)
    assert shown is not None
    changes = facts.image_changes(BINARY, shown)
    figure = draw_changes(changes, shown)
    fell, rose, before, at, after = figure.data
    np.testing.assert_allclose(np.array(fell.x)[[0, 1, 3, 4]], [0.98, 0.02, 0.90, 0.60])
    np.testing.assert_allclose(np.array(rose.x)[:2], [0.80, 0.85])
    assert [before.name, at.name, after.name] == [
        "before: epoch 5",
        "at: epoch 6",
        "after: epoch 7",
    ]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # Place 0 is on top.
    assert len({t.marker.symbol for t in (before, at, after)}) == 3
    few = draw_changes(changes, shown, at_most=1)
    assert list(few.data[2].x) == [0.98]
    assert draw_changes(changes.iloc[:0], shown).layout.annotations


def test_names_of_images_are_text_in_the_figure() -> None:
    rows = BINARY.assign(image=BINARY["image"].cat.rename_categories({"a": "<b>bold</b>"}))
    shown = facts.moment(curve(REPORT), 6)
    assert shown is not None
    figure = draw_changes(facts.image_changes(rows, shown), shown)
    assert figure.layout.yaxis.ticktext[0] == "&lt;b&gt;bold&lt;/b&gt;"


def said(app: AppTest) -> str:
    kinds = ("subheader", "text", "caption", "markdown", "code")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(app, kind))


def dipping() -> str:
    runs = reading.list_runs()
    here = (runs["experiment"] == "carvana") & (runs["metrics.stability/dips"] > 0)
    return str(runs.index[here][0])


def test_the_page_says_what_to_run_on_an_empty_store(store: object, open_app: Open) -> None:
    assert "trainer fit" in said(open_app("dip"))


def test_the_page_opens_at_the_dip_and_names_what_fell(full_store: str, open_app: Open) -> None:
    app = open_app("dip", run=dipping())
    assert app.selectbox(key="epoch").value == 8
    words = said(app)
    assert "Images scene_" in words and "Diagnosis “unstable”" in words
    values = {metric.label: metric.value for metric in app.metric}
    assert values["Learning rate"] == "0.0001"
    assert float(values["Gradient norm"]) > 6
    assert "Masks before, at and after" in words


def test_the_address_chooses_epoch_and_comparison(full_store: str, open_app: Open) -> None:
    app = open_app("dip", run=dipping(), epoch="3", compared_with="the best before")
    assert app.selectbox(key="epoch").value == 3
    labels = [metric.label for metric in app.metric]
    assert labels[:2] == ["Dice before · epoch 2", "Dice at · epoch 3"]


def test_a_press_on_a_dip_and_a_click_on_the_curve_choose_its_epoch(
    full_store: str, open_app: Open
) -> None:
    app = open_app("dip", run=dipping(), epoch="5")
    app.button(key="dip_8").click().run()
    assert app.selectbox(key="epoch").value == 8


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("one epoch", "has 1 finite value"),
        ("keras_baseline_0", "no dip"),
        ("half-written", "has 0 finite values"),
        ("diverged", "no dip"),
        ("still training", "no dip"),
        ("street flips", "no dip"),
    ],
)
def test_every_kind_of_run_says_what_it_has(
    full_store: str, open_app: Open, run_named: Callable[[str], str], name: str, words: str
) -> None:
    assert words in said(open_app("dip", run=run_named(name)))


def test_the_first_epoch_has_nothing_to_compare_with(full_store: str, open_app: Open) -> None:
    assert "first epoch" in said(open_app("dip", run=dipping(), epoch="1"))


def test_a_run_without_per_image_scores_still_shows_its_curve(
    full_store: str, open_app: Open
) -> None:
    runs = reading.list_runs()
    hostile = str(runs.index[runs["name"].str.startswith("<img")][0])
    assert "no per-image scores" in said(open_app("dip", run=hostile))
