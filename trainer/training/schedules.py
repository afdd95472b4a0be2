"""Learning-rate schedules by name.

A schedule is told of every step and of every epoch, and does what it wants at either. Its state
is plain JSON, and lies in the checkpoint beside the optimiser's.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, LambdaLR, LRScheduler, ReduceLROnPlateau

from trainer.catalogue.schedules import (
    SCHEDULES,
    InverseTime,
    Plateau,
    Polynomial,
    Steps,
)
from trainer.settings import Settings, load

# Of the one-cycle schedule, as torch's and fastai's.
WARM_SHARE, START = 0.3, 1 / 25


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


class Curve(Schedule):
    """Set the learning rate to its first one times a function of the epoch, or of the step."""

    def __init__(
        self, optimizer: Optimizer, factor: Callable[[int], float], *, by_step: bool = False
    ) -> None:
        super().__init__(LambdaLR(optimizer, factor))
        self._by_step = by_step

    def after_step(self) -> None:
        """Move on by a step, if that is what the rate is a function of."""
        if self._by_step:
            self._scheduler.step()

    def after_epoch(self, score: float) -> None:  # noqa: ARG002
        """Move on by an epoch, if that is what the rate is a function of."""
        if not self._by_step:
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


class WarmUp(Schedule):
    """Raise the learning rate in equal steps to what another schedule says, which it then is."""

    def __init__(self, inner: Schedule, optimizer: Optimizer, steps: int) -> None:
        self._inner = inner
        self._optimizer = optimizer
        self._steps = steps
        self._taken = 0
        self._full = self._shown()
        self._show(self._share())

    def after_step(self) -> None:
        """Rise by a step."""
        self._taken += 1
        self._move(self._inner.after_step)

    def after_epoch(self, score: float) -> None:
        """Tell the other schedule of an epoch."""
        self._move(lambda: self._inner.after_epoch(score))

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as plain JSON."""
        return {"taken": self._taken, "full": self._full, "inner": self._inner.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` left both; the optimiser must be restored already."""
        self._taken, self._full = int(state["taken"]), list(state["full"])
        self._move(lambda: self._inner.restore(state["inner"]))

    def _move(self, change: Callable[[], None]) -> None:
        # The other schedule sees and sets the full rate, as if there were no warm-up.
        self._show(1.0)
        change()
        self._full = self._shown()
        self._show(self._share())

    def _share(self) -> float:
        return min(1.0, (self._taken + 1) / self._steps)

    def _shown(self) -> list[float]:
        return [float(group["lr"]) for group in self._optimizer.param_groups]

    def _show(self, share: float) -> None:
        for group, lr in zip(self._optimizer.param_groups, self._full, strict=True):
            group["lr"] = lr * share


@dataclass(frozen=True, kw_only=True)
class Length:
    """How long a run is: its epochs, and the optimiser's steps in each."""

    epochs: int
    steps: int

    @property
    def all_steps(self) -> int:
        """The optimiser's steps in the whole run."""
        return self.epochs * self.steps


def constant(optimizer: Optimizer, _settings: Settings, _length: Length) -> Schedule:
    """Leave the learning rate as it is."""
    return Schedule(ConstantLR(optimizer, factor=1.0, total_iters=0))


def cosine(optimizer: Optimizer, _settings: Settings, length: Length) -> Schedule:
    """Lower the learning rate to 0 along half a cosine over the run's epochs."""
    # Of the epoch, not of the last rate: a run that is given more epochs follows the longer curve.
    return Curve(optimizer, lambda epoch: _half_cosine(epoch / length.epochs))


def polynomial(optimizer: Optimizer, settings: Polynomial, length: Length) -> Schedule:
    """Lower the learning rate to 0 by a power of the share of steps that is left.

    As DeepLab and PSPNet were trained (Chen et al., arXiv 1606.00915).
    """

    def factor(step: int) -> float:
        return float(max(0.0, 1 - step / length.all_steps) ** settings.schedule_power)

    return Curve(optimizer, factor, by_step=True)


def one_cycle(optimizer: Optimizer, _settings: Settings, length: Length) -> Schedule:
    """Raise the learning rate to its full value, then lower it to next to nothing.

    Smith and Topin, arXiv 1708.07120: from a 25th over 30 % of the steps, then along half a cosine.
    """

    def factor(step: int) -> float:
        top = WARM_SHARE * length.all_steps
        if step < top:
            return START + (1 - START) * (1 - _half_cosine(step / top))
        return _half_cosine((step - top) / (length.all_steps - top))

    return Curve(optimizer, factor, by_step=True)


def inverse_time(optimizer: Optimizer, settings: InverseTime, _length: Length) -> Schedule:
    """Divide the learning rate by 1 + decay times the steps so far, as Keras' decay does."""
    return Curve(optimizer, lambda step: 1 / (1 + settings.schedule_decay * step), by_step=True)


def step(optimizer: Optimizer, settings: Steps, _length: Length) -> Schedule:
    """Lower the learning rate by a factor every few epochs."""
    factor, every = settings.schedule_factor, settings.schedule_every
    return Curve(optimizer, lambda epoch: float(factor ** (epoch // every)))


def plateau(optimizer: Optimizer, settings: Plateau, _length: Length) -> Schedule:
    """Lower the learning rate when the monitored score has not risen for some epochs."""
    return OnPlateau(
        ReduceLROnPlateau(
            optimizer,
            mode="max",
            factor=settings.schedule_factor,
            patience=settings.schedule_patience,
        )
    )


def _half_cosine(share: float) -> float:
    """Return 1 at a share of 0, 0 at 1 and beyond."""
    return (1 + math.cos(math.pi * min(share, 1))) / 2


def build_schedule(
    optimizer: Optimizer, name: str, settings: Settings, length: Length, *, warmup_epochs: int = 0
) -> Schedule:
    """Return the named learning-rate schedule of a run of so many epochs and steps."""
    schedule: Schedule = load("schedule", name, SCHEDULES)(optimizer, settings, length)
    if warmup_epochs:
        return WarmUp(schedule, optimizer, warmup_epochs * length.steps)
    return schedule
