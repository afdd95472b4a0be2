"""A score that is added to the table is logged, monitored, compared, evaluated and documented."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweeps.spec_reading import read_spec
from tests.trainer.analysis.simulated import pair
from tests.trainer.analysis.test_documentation import undocumented
from trainer.analysis.comparison import compare
from trainer.analysis.score_table import (
    SCORES,
    Score,
    comparable,
    headline_classes,
    monitors,
    title,
)
from trainer.commands import comparing, evaluating
from trainer.config import TrainConfig
from trainer.tracking import get_run
from trainer.tracking.reading import histories
from trainer.training.fitting import fit

RECALL = Score(
    label="Recall",
    definition="TP / (TP + FN), the mean over the headline classes",
    terms=lambda tp, fp, fn: (tp, tp + fn),
    classes=headline_classes,
    headline=True,
)


@pytest.fixture
def recall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCORES, "recall", RECALL)


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("recall")
def test_a_new_score_is_everywhere(
    tiny: TrainConfig, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert undocumented(SCORES) == ["recall"]
    one, other = (
        fit(tiny.replace(monitor="val/recall", lr=lr), progress=False) for lr in (1e-2, 1e-3)
    )
    curve = histories([one.run_id], ["val/recall"]).sort_values("step")["value"].to_numpy()
    logged = get_run(one.run_id).data.metrics
    assert len(curve) == 3
    assert logged["best/epoch"] == 1 + curve.argmax()
    assert logged["best/val_recall"] == one.best["val_recall"] == curve.max()
    assert 0 <= logged["test/recall"] <= 1

    capsys.readouterr()
    comparing.compare([one.run_id, other.run_id, "--score", "recall", "--json"])
    (found,) = printed(capsys)
    assert (found["score"], found["differences"]["recall"]["a"]) == ("recall", curve.max())

    # All images: those of two cars alone would have no interval.
    evaluating.evaluate([one.run_id, "--split", "all", "--json"])
    found = printed(capsys)
    low, high = found["intervals"]["recall"]
    assert low <= found["recall"] <= high
    assert title("val/recall") == "validation Recall"


@pytest.mark.usefixtures("recall")
def test_a_search_may_be_for_it(tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text("name: recall\nmetric: val/recall\nspace:\n  lr: [0.001, 0.01]\n")
    assert read_spec(str(path)).metric == "val/recall"


def test_a_score_that_is_good_when_low_is_compared_that_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worse, better = pair(np.random.default_rng(0), 60, gap=0.8)
    missed = Score(
        label="Missed",
        definition="FN / (TP + FN)",
        terms=lambda tp, fp, fn: (fn, tp + fn),
        higher_is_better=False,
    )
    monkeypatch.setitem(SCORES, "missed", missed)
    assert "missed" in comparable()
    assert "val/missed" not in monitors()
    found = compare(worse, better, names=("wide", "narrow"), score="missed", of_models=True)
    assert found.interval.value > 0
    assert found.verdict == "B better"
    assert found.sentence.startswith("wide is worse than narrow")
    assert found.better_first().sentence.startswith("narrow is better than wide")


def test_what_is_neither_good_nor_bad_is_logged_alone() -> None:
    assert SCORES["foreground_share"].higher_is_better is None
    assert "foreground_share" not in comparable()
    known = "known: val/accuracy, val/balanced_accuracy, val/dice"
    for name in ("val/foreground_share", "val/boundary_iou", "val/loss", "test/dice"):
        with pytest.raises(ValueError, match=rf"unknown monitor .*{known}"):
            TrainConfig(monitor=name)
    assert TrainConfig(monitor="val/accuracy").monitor == "val/accuracy"
