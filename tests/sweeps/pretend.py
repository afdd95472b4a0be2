"""Stands in for training: curves computed from the config, so that a search takes no time.

A module of its own, so that worker processes can import it by name; torch and
mlflow are imported late, for they would wait longer for them than for all the rest.
"""

import errno
import math
import os
import signal
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sweeps.claims import claim
from sweeps.presence import present
from sweeps.study import load
from sweeps.workers import work
from trainer.config import TrainConfig

OnEpoch = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a sweep reads of a `trainer.training.fitting.FitResult`."""

    run_id: str
    outcome: str
    epochs: int
    best: dict[str, float]
    reason: str | None = None
    found: dict[str, int] = field(default_factory=dict)


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
) -> Result:
    """Follow the curve of the config, as `trainer.training.fitting.fit` would train."""
    return follow(scores(config), on_epoch)


def asked_to_stop(error: Exception) -> bool:
    """Return whether the error is a `StopTraining`."""
    from trainer.training.fitting import StopTraining

    return isinstance(error, StopTraining)


def follow(curve: list[float], on_epoch: OnEpoch | None, pause: float = 0.0) -> Result:
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
        except Exception as error:
            if not asked_to_stop(error):
                raise
            outcome, reason = "pruned", str(error)
            break
    found = {"epoch": best_epoch, "val_dice": best, "val_miou": best} if best_epoch else {}
    return Result(run_id=uuid.uuid4().hex, outcome=outcome, epochs=epoch, best=found, reason=reason)


def paced_fit(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
) -> Result:
    """Take long enough for another worker to have its turn."""
    return follow(scores(config), on_epoch, pause=0.2)


def slow_fit(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
) -> Result:
    """Take a while, with a run in the store that is open meanwhile, as a real one's is."""
    from trainer.tracking import start_run

    run = start_run(config, parent_run_id=parent_run_id, tags=tags)
    outcome = "interrupted"
    try:
        result = follow(scores(config), on_epoch, pause=0.1)
        outcome = result.outcome
    finally:
        run.finish(outcome)
    return Result(run_id=run.id, outcome=outcome, epochs=result.epochs, best=result.best)


def fit_that_dies_once(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
) -> Result:
    """Kill its own process, as the system does when memory runs out, the first time it is run."""
    mark = Path(os.environ["PRETEND_MARK"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return follow(scores(config), on_epoch, pause=0.02)


def fit_that_dies(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
) -> Result:
    """Kill its own process each time."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it goes on")


def fit_that_refuses(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
) -> Result:
    """Find a mistake in the data, as in every trial of a sweep."""
    raise ValueError("data: nothing there")


def fit_without_room(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
) -> Result:
    """Find the disk full, once a trial is done."""
    if config.lr < 1e-3:
        return follow(scores(config), on_epoch)
    try:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "checkpoints")
    except OSError as error:
        if config.lr < 1e-2:
            raise
        raise ValueError("store: cannot open it") from error  # as the store's client does


def work_slowly(name: str) -> None:
    """Work on a sweep until killed."""
    work(load(name, None), fit=slow_fit)


def work_and_die(name: str) -> None:
    """Begin to train a trial of a sweep and be killed at once."""
    work(load(name, None), fit=fit_that_dies)


def claim_and_die(name: str) -> None:
    """Begin a trial of a sweep and be killed."""
    with present() as presence:
        claim(load(name, None), presence)
        os.kill(os.getpid(), signal.SIGKILL)
