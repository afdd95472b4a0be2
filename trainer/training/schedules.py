"""Learning-rate schedules by name.

A schedule is told of every step and of every epoch, and does what it wants at either. Its state
is plain JSON, and lies in the checkpoint beside the optimiser's.
"""

import math
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, LambdaLR, LRScheduler, ReduceLROnPlateau

from trainer.catalogue import SCHEDULES, Plateau
from trainer.settings import Settings, load


class Schedule:
    """Leave the learning rate as it is; the base of those that move it by torch's schedulers."""

    def __init__(self, scheduler: LRScheduler) -> None:
        self._scheduler = scheduler

    def after_step(self) -> None:
        """Hear of a step of the optimiser."""

    def after_epoch(self, score: float) -> None:
        """Hear of an epoch that reached ``score`` (higher is better)."""

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as plain JSON."""
        return {
            key: value
            for key, value in self._scheduler.state_dict().items()
            if isinstance(value, int | float | str | bool | list | type(None))
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` left a schedule; the optimiser must be restored already."""
        self._scheduler.load_state_dict(dict(state))


class ByEpoch(Schedule):
    """Set the learning rate to a function of the epoch."""

    def after_epoch(self, score: float) -> None:  # noqa: ARG002
        """Move on by an epoch."""
        self._scheduler.step()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` left it, and set the rate anew.

        The run may have been given more epochs than the checkpoint knew of.
        """
        super().restore(state)
        scheduler = self._scheduler
        assert isinstance(scheduler, LambdaLR)
        groups = scheduler.optimizer.param_groups
        for group, lr, factor in zip(groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True):
            group["lr"] = lr * factor(scheduler.last_epoch)


class OnPlateau(Schedule):
    """Lower the learning rate when the score has not risen for some epochs."""

    def after_epoch(self, score: float) -> None:
        """Move on by an epoch, whose score decides."""
        assert isinstance(self._scheduler, ReduceLROnPlateau)
        self._scheduler.step(score)


def constant(optimizer: Optimizer, _settings: Settings, _epochs: int) -> Schedule:
    """Leave the learning rate as it is."""
    return Schedule(ConstantLR(optimizer, factor=1.0, total_iters=0))


def cosine(optimizer: Optimizer, _settings: Settings, epochs: int) -> Schedule:
    """Lower the learning rate to 0 along half a cosine over the run's epochs."""
    # Of the epoch, not of the last rate: a run that is given more epochs follows the longer curve.
    return ByEpoch(
        LambdaLR(optimizer, lambda epoch: (1 + math.cos(math.pi * min(epoch / epochs, 1))) / 2)
    )


def plateau(optimizer: Optimizer, settings: Plateau, _epochs: int) -> Schedule:
    """Lower the learning rate when the monitored score has not risen for some epochs."""
    return OnPlateau(
        ReduceLROnPlateau(
            optimizer,
            mode="max",
            factor=settings.schedule_factor,
            patience=settings.schedule_patience,
        )
    )


def build_schedule(optimizer: Optimizer, name: str, settings: Settings, *, epochs: int) -> Schedule:
    """Return the named learning-rate schedule of a run of so many epochs."""
    schedule: Schedule = load("schedule", name, SCHEDULES)(optimizer, settings, epochs)
    return schedule
