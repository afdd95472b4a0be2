"""Stands in for training: curves computed from the config, so that a search takes no time.

A module of its own, so that worker processes can import it by name.
"""

import math
import os
import signal
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from trainer.config import TrainConfig
from trainer.fitting import FitResult, StopTraining
from trainer.tracking import start_run

OnEpoch = Callable[[int, Mapping[str, float]], None]


def quality(config: TrainConfig) -> float:
    """Return the score that a config converges to: best at lr 1e-3, from 0 to 1."""
    return max(0.05, 0.95 - 0.15 * abs(math.log10(config.lr) + 3)) + 0.001 * config.seed


def scores(config: TrainConfig) -> list[float]:
    """Return the validation Dice of each epoch."""
    return [quality(config) * (1 - math.exp(-epoch)) for epoch in range(1, config.epochs + 1)]


def fit(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
) -> FitResult:
    """Follow the curve of the config, as `trainer.fitting.fit` would train."""
    return follow(scores(config), on_epoch)


def follow(curve: list[float], on_epoch: OnEpoch | None, pause: float = 0.0) -> FitResult:
    """Report a curve epoch by epoch; a NaN ends the run as failed."""
    best, best_epoch, outcome, reason, epoch = math.nan, 0, "completed", None, 0
    for epoch, score in enumerate(curve, start=1):
        time.sleep(pause)
        if math.isnan(score):
            outcome, reason = "failed", f"train/loss is nan in epoch {epoch}"
            break
        if not best >= score:
            best, best_epoch = score, epoch
        try:
            if on_epoch is not None:
                on_epoch(epoch, {"val/dice": score, "val/miou": score})
        except StopTraining as stop:
            outcome, reason = stop.outcome, stop.reason
            break
    found = {"epoch": best_epoch, "val_dice": best, "val_miou": best} if best_epoch else {}
    return FitResult(
        run_id=uuid.uuid4().hex, outcome=outcome, epochs=epoch, best=found, reason=reason
    )


def slow_fit(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
) -> FitResult:
    """Take a while, with a run in the store that is open meanwhile, as a real one's is."""
    run = start_run(config, parent_run_id=parent_run_id, tags=tags)
    outcome = "interrupted"
    try:
        result = follow(scores(config), on_epoch, pause=0.1)
        outcome = result.outcome
    finally:
        run.finish(outcome)
    return FitResult(run_id=run.id, outcome=outcome, epochs=result.epochs, best=result.best)


def fit_that_dies_once(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
) -> FitResult:
    """Kill its own process, as the system does when memory runs out, the first time it is run."""
    mark = Path(os.environ["PRETEND_MARK"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return follow(scores(config), on_epoch, pause=0.02)


def fit_that_refuses(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
) -> FitResult:
    """Find a mistake in the data, as in every trial of a sweep."""
    raise ValueError("data: nothing there")
