"""Every page is about what a run monitored, and says which metric that is."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.store import reads
from tests.trainer.evaluation.scored_runs import BY_DICE, BY_MIOU, write_foreign_run, write_run
from trainer.cli import main
from trainer.tracking.runs import log_summary, set_tags

Open = Callable[..., AppTest]


def said(app: AppTest) -> str:
    kinds = ("subheader", "text", "caption", "markdown")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(app, kind))


@pytest.fixture
def by_miou(store: Path) -> str:
    return write_run("by miou", BY_MIOU, monitor="val/miou")


def test_the_pages_of_one_run_are_about_its_headline(by_miou: str, open_app: Open) -> None:
    app = open_app("run", run=by_miou)
    shown = {metric.label: metric.value for metric in app.metric}
    assert (shown["Last mIoU · epoch 3"], shown["MDD"]) == ("0.6500", "0.0000")
    assert shown["Maximum drawdown"] == "0.0000"  # Of Dice it is 0.15.
    assert "Stability of validation mIoU" in said(app)
    shown = {
        metric.label: metric.value for metric in open_app("dip", run=by_miou, epoch="2").metric
    }
    assert (shown["mIoU before · epoch 1"], shown["mIoU at · epoch 2"]) == ("0.5000", "0.5500")
    assert open_app("curves", runs=by_miou).selectbox(key="metric").value == "val/miou"
    ranked = open_app("stability", runs=by_miou)
    assert "Of validation mIoU" in said(ranked)
    assert ranked.dataframe[0].value["max_drawdown"].tolist() == [0.0]


def test_stored_statistics_of_another_metric_are_not_taken_for_the_headlines(
    by_miou: str, open_app: Open
) -> None:
    # As a run of an earlier version, whose statistics are of Dice; and one that says of what.
    says = write_run("says", BY_MIOU, monitor="val/miou")
    for run_id in (by_miou, says):
        log_summary(run_id, {"stability/max_drawdown": 0.15, "stability/dips": 1.0}, step=3)
    set_tags(says, {"segscope.stability_of": "val/miou"})
    table = open_app().dataframe[0].value.set_index("name")
    assert table["max_drawdown"].to_dict() == {"by miou": 0.0, "says": 0.15}
    for run_id, drawdown in ((by_miou, "0.0000"), (says, "0.1500")):
        shown = {metric.label: metric.value for metric in open_app("run", run=run_id).metric}
        assert shown["MDD"] == drawdown


def test_runs_of_different_headlines_are_never_mixed_in_silence(
    by_miou: str, open_app: Open
) -> None:
    by_dice = write_run("by dice", BY_DICE)
    table = open_app().dataframe[0].value.set_index("name")
    assert table["headline"].to_dict() == {"by dice": "val/dice", "by miou": "val/miou"}
    assert table["best"].to_dict() == {"by dice": 0.8, "by miou": 0.65}
    kept = open_app(order="Best Dice")  # An address from before the column ``best``.
    assert kept.selectbox(key="order").value == "best_dice"
    assert kept.dataframe[0].value["name"].tolist() == ["by dice", "by miou"]
    groups = open_app(view="Groups", by="batch_size").dataframe[0].value
    assert groups["headline"].tolist() == ["val/dice", "val/miou"]
    for page in ("stability", "compare"):
        app = open_app(page, runs=f"{by_dice},{by_miou}", headline="val/miou")
        assert app.selectbox(key="headline").options == ["val/dice", "val/miou"]
    ranked = open_app("stability", runs=f"{by_dice},{by_miou}", headline="val/dice")
    drawdowns = ranked.dataframe[0].value["max_drawdown"].tolist()
    assert drawdowns == pytest.approx([0.15, 0.05])


def test_several_scores_of_another_program_are_named_not_guessed(
    store: Path, open_app: Open
) -> None:
    scores = {"val_dice": [0.4, 0.6, 0.5], "val_iou": [0.1, 0.2, 0.3], "loss": [3.0, 2.0, 1.0]}
    run_id = write_foreign_run("keras", scores)
    for page in ("run", "dip"):
        words = said(open_app(page, run=run_id))
        assert "tag it segscope.headline with one of val_dice, val_iou" in words
    set_tags(run_id, {"segscope.headline": "val_iou"})
    # What another process tags is seen within a minute; the pages' own tags at once, as here.
    reads.store().refresh([run_id])
    shown = [metric.label for metric in open_app("run", run=run_id).metric]
    assert "Best val\\_iou · epoch 3" in shown
    assert "no dip" in said(open_app("dip", run=run_id))


def test_the_command_takes_each_runs_headline(
    by_miou: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["trainer", "stability", *words, "--json"])
        return main()

    assert call(by_miou, write_run("by dice", BY_DICE)) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["metric"] for row in rows] == ["val/miou", "val/dice"]
    drawdowns = [row["stability/max_drawdown"] for row in rows]
    assert drawdowns == pytest.approx([0.0, 0.05])
    assert call(by_miou, "--metric", "val/dice") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["stability/max_drawdown"] == pytest.approx(0.15)
    assert call(write_foreign_run("keras", {"val_dice": [0.1], "val_iou": [0.2]})) == 2
    assert "with one of val_dice, val_iou, or give --metric" in capsys.readouterr().err
