"""A sweep says on what its best trial was chosen, and shows scores of what chose nothing."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from sweeps.cli import report, resume
from sweeps.reporting.facts import gather
from sweeps.reporting.markdown import markdown
from sweeps.reporting.outcome import on_test
from sweeps.search import carry_out
from sweeps.spec import SweepSpec
from sweeps.study import create, load
from sweeps.summary import read, summarise
from trainer.analysis.selection import best_of_equals
from trainer.config import TrainConfig
from trainer.tracking import start_run

MakeSpec = Callable[..., SweepSpec]


def fit_with_runs(pretend: ModuleType, test: dict[float, float]) -> Any:
    """Return a fit whose runs are in the store; ``test`` holds the test Dice of each seed."""

    def fit(config: TrainConfig, *, on_epoch: Any, **_: object) -> Any:
        run = start_run(config)
        if config.seed in test:
            run.log_epoch(1, {"test/dice": test[config.seed], "test/loss": 0.3, "val/dice": 0.5})
        run.finish("completed")
        return replace(pretend.follow(pretend.scores(config), on_epoch), run_id=run.id)

    return fit


def test_one_trial_was_not_chosen_and_none_says_nothing(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    sweep = create(spec(trials=1), None)
    assert read(sweep).selection == ""
    said = carry_out(sweep, fit=pretend.fit).selection
    assert said == "Chosen on the validation images: of each run its best epoch by val/dice."


def test_the_chance_that_the_best_of_equals_looks_better_is_stated(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    sweep = create(spec(trials=6, seeds=3, pruner="none"), None)
    carry_out(sweep, fit=pretend.fit)
    standing = read(sweep)
    # Seeds move the pretended score by 0.001 each, of three runs.
    spread = np.std([0, 0.001, 0.002], ddof=1) * (1 - np.exp(-4)) / np.sqrt(3)
    assert standing.spread == pytest.approx(spread)
    luck = best_of_equals(6)
    assert f"{luck:.1f} × {spread:.4f} = {luck * spread:.4f}" in standing.selection
    assert "the best of 6 trials" in standing.selection
    assert standing.selection in markdown(gather(sweep))
    assert summarise(sweep).to_json()["selection"] == standing.selection


def test_with_one_seed_it_is_said_how_to_know_the_spread(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    said = carry_out(create(spec(trials=5), None), fit=pretend.fit).selection
    assert f"by {best_of_equals(5):.1f} times the spread" in said
    assert said.endswith("which seeds: 3 would tell.")


def test_the_final_table_is_of_the_test_images_and_of_the_best_trial_alone(
    pretend: ModuleType, spec: MakeSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = create(spec(trials=2, seeds=2, pruner="none"), None)
    carry_out(sweep, fit=fit_with_runs(pretend, {0: 0.8, 1: 0.7}))
    assert on_test(sweep) == {"dice": pytest.approx(0.75)}
    table = markdown(gather(sweep))
    assert "| Dice | 0.7500 |" in table
    assert len(re.findall("test images", table)) == 1
    resume(["test"])
    told = capsys.readouterr().out
    assert read(load("test", None)).selection in told
    assert "On the test images, which chose nothing: dice 0.7500." in told
    report(["test", "--json"])
    assert json.loads(capsys.readouterr().out)["test"] == {"dice": pytest.approx(0.75)}


@pytest.mark.parametrize("in_the_store", [True, False])
def test_without_test_images_that_is_said(
    pretend: ModuleType, spec: MakeSpec, in_the_store: bool
) -> None:
    sweep = create(spec(trials=2), None)
    carry_out(sweep, fit=fit_with_runs(pretend, {}) if in_the_store else pretend.fit)
    assert on_test(sweep) == {}
    assert "No score is of images that chose nothing" in markdown(gather(sweep))
