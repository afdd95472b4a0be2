"""A run's best headline: what it wrote at its end, else the highest of its curve."""

import math
from pathlib import Path

import pytest

from trainer.config import TrainConfig
from trainer.evaluation.best_scores import best_scores, written_best
from trainer.tracking import start_parent, start_run
from trainer.tracking.reading import list_runs


def test_the_best_is_written_or_of_the_curve(store: Path) -> None:
    written = start_run(TrainConfig())
    written.log_epoch(1, {"val/dice": 0.9, "best/val_dice": 0.8, "val/miou": 0.1})
    written.finish("completed")
    going_on = start_run(TrainConfig())
    # A run that went on after its first end still has what it wrote then.
    going_on.log_epoch(1, {"val/dice": 0.5, "best/val_dice": 0.5})
    going_on.log_epoch(2, {"val/dice": 0.7})
    going_on.log_epoch(3, {"val/dice": math.nan})
    other = start_run(TrainConfig(monitor="val/miou"))
    other.log_epoch(1, {"val/dice": 0.9, "val/miou": 0.4})
    other.finish("failed")
    empty = start_parent("nothing", experiment="e")
    runs = list_runs()
    expected = {written.id: 0.8, going_on.id: 0.7, other.id: 0.4}
    found = best_scores(runs).to_dict()
    assert math.isnan(found.pop(empty))
    assert found == pytest.approx(expected)
    assert written_best(runs).dropna().to_dict() == {written.id: 0.8}


def test_no_runs_have_no_scores(store: Path) -> None:
    assert best_scores(list_runs()).empty
