"""How the learning rate moves, and how long a run waits for a better score."""

import math
from dataclasses import dataclass

from trainer.settings import Component, Settings, require, switch


@dataclass(frozen=True, kw_only=True)
class Lowered(Settings):
    """Of a schedule that lowers the learning rate by a factor, time and again."""

    schedule_factor: float = 0.5
    """What the learning rate is multiplied by each time it is lowered."""

    def __post_init__(self) -> None:
        factor = self.schedule_factor
        require("schedule_factor", factor, 0 < factor < 1, "must lie between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class Plateau(Lowered):
    """Of the schedule that waits for the score."""

    schedule_patience: int = 3
    """Epochs without a better score that the learning rate waits for before it is lowered."""

    def __post_init__(self) -> None:
        super().__post_init__()
        patience = self.schedule_patience
        require("schedule_patience", patience, patience >= 0, "must be at least 0")


@dataclass(frozen=True, kw_only=True)
class Steps(Lowered):
    """Of the schedule that lowers the learning rate every few epochs."""

    schedule_every: int = 10
    """Epochs after which the learning rate is lowered."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            "schedule_every", self.schedule_every, self.schedule_every >= 1, "must be at least 1"
        )


@dataclass(frozen=True, kw_only=True)
class Polynomial(Settings):
    """Of the polynomial schedule."""

    schedule_power: float = 0.9
    """Power of what is left of the run that the learning rate is multiplied by."""

    def __post_init__(self) -> None:
        power = self.schedule_power
        require("schedule_power", power, 0 < power <= 10, "must be above 0 and at most 10")


@dataclass(frozen=True, kw_only=True)
class InverseTime(Settings):
    """Of the schedule that Keras' optimisers had as their decay."""

    schedule_decay: float = 1e-3
    """Decay d of the learning rate, which is divided by 1 + d times the steps so far."""

    def __post_init__(self) -> None:
        decay = self.schedule_decay
        require("schedule_decay", decay, 0 <= decay < math.inf, "must be at least 0")


SCHEDULES = {
    "constant": Component(
        place="trainer.training.schedules:constant", about="the learning rate stays"
    ),
    "cosine": Component(
        place="trainer.training.schedules:cosine", about="falls to 0 along half a cosine, by epoch"
    ),
    "inverse-time": Component(
        InverseTime,
        "trainer.training.schedules:inverse_time",
        about="divided by 1 + decay times the steps, as Keras' decay",
    ),
    "one-cycle": Component(
        place="trainer.training.schedules:one_cycle",
        about="rises over 30 % of the steps, then falls to 0 (Smith and Topin)",
    ),
    "plateau": Component(
        Plateau,
        "trainer.training.schedules:plateau",
        about="lowered when the monitored score no longer rises",
    ),
    "polynomial": Component(
        Polynomial,
        "trainer.training.schedules:polynomial",
        about="falls to 0 by a power of the steps that are left",
    ),
    "step": Component(
        Steps, "trainer.training.schedules:step", about="lowered by a factor every few epochs"
    ),
}


@dataclass(frozen=True, kw_only=True)
class EarlyStop(Settings):
    """Of a run that stops early."""

    min_delta: float = 0.0
    """How much better a score must be to count for patience."""

    def __post_init__(self) -> None:
        delta = self.min_delta
        require("min_delta", delta, 0 <= delta < 1, "must be at least 0 and below 1")


PATIENCE = switch(EarlyStop)
