"""Optimisers."""

import math
from dataclasses import dataclass

from trainer.settings import Component, Settings, require


@dataclass(frozen=True, kw_only=True)
class Descent(Settings):
    """Of every optimiser."""

    lr: float = 1e-3
    """Learning rate."""
    weight_decay: float = 0.0
    """L2 penalty on the weights; decoupled with adamw."""
    decay_norms: bool = True
    """Let weight_decay shrink biases and what normalisations learn too."""

    def __post_init__(self) -> None:
        require("lr", self.lr, 0 < self.lr < math.inf, "must be a positive number, such as 1e-3")
        decay = self.weight_decay
        require("weight_decay", decay, 0 <= decay < math.inf, "must be at least 0")


@dataclass(frozen=True, kw_only=True)
class DescentWithMomentum(Descent):
    """Of an optimiser with momentum."""

    momentum: float = 0.9
    """Momentum of the optimiser."""

    def __post_init__(self) -> None:
        super().__post_init__()
        momentum = self.momentum
        require("momentum", momentum, 0 <= momentum < 1, "must be at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class StochasticDescent(DescentWithMomentum):
    """Of stochastic gradient descent."""

    nesterov: bool = False
    """Take the gradient where the momentum leads, as Nesterov does."""

    def __post_init__(self) -> None:
        super().__post_init__()
        moves = self.momentum > 0 or not self.nesterov
        require("momentum", self.momentum, moves, "must be above 0 with nesterov")


OPTIMIZERS = {
    "adam": Component(
        Descent,
        "trainer.training.optimizers:adam",
        about="adaptive moments; weight decay within the gradient",
    ),
    "adamw": Component(
        Descent,
        "trainer.training.optimizers:adamw",
        about="Adam with weight decay apart from the gradient",
    ),
    "adamax": Component(
        Descent, "trainer.training.optimizers:adamax", about="Adam by the largest gradient so far"
    ),
    "nadam": Component(
        Descent, "trainer.training.optimizers:nadam", about="Adam with Nesterov's momentum"
    ),
    "sgd": Component(
        StochasticDescent,
        "trainer.training.optimizers:sgd",
        about="stochastic gradient descent with momentum",
    ),
    "rmsprop": Component(
        DescentWithMomentum, "trainer.training.optimizers:rmsprop", about="RMSprop with momentum"
    ),
}
