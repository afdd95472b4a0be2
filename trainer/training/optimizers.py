"""Optimisers by name."""

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import SGD, Adam, Adamax, AdamW, NAdam, Optimizer, RMSprop

from trainer.catalogue.optimizers import (
    OPTIMIZERS,
    Descent,
    DescentWithMomentum,
    StochasticDescent,
)
from trainer.settings import load
from trainer.training.transfer import encoder_of

Parameters = Iterable[nn.Parameter] | Iterable[dict[str, Any]]

# `fused` does one pass over all weights: 22 ms instead of 91 for 31 million of them. `foreach` is
# what torch has where it has none.


def adam(parameters: Parameters, settings: Descent) -> Optimizer:
    """Kingma and Ba, ICLR 2015; weight decay is added to the gradient."""
    return Adam(parameters, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)


def adamw(parameters: Parameters, settings: Descent) -> Optimizer:
    """Loshchilov and Hutter, ICLR 2019; weight decay is apart from the gradient."""
    return AdamW(parameters, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)


def adamax(parameters: Parameters, settings: Descent) -> Optimizer:
    """Adam by the largest gradient so far, of the same paper."""
    return Adamax(parameters, lr=settings.lr, weight_decay=settings.weight_decay, foreach=True)


def nadam(parameters: Parameters, settings: Descent) -> Optimizer:
    """Adam with Nesterov's momentum: Dozat, ICLR workshop 2016."""
    return NAdam(parameters, lr=settings.lr, weight_decay=settings.weight_decay, foreach=True)


def sgd(parameters: Parameters, settings: StochasticDescent) -> Optimizer:
    """Stochastic gradient descent with momentum."""
    return SGD(
        parameters,
        lr=settings.lr,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def rmsprop(parameters: Parameters, settings: DescentWithMomentum) -> Optimizer:
    """Hinton's RMSprop with momentum, as the public Carvana code uses it."""
    return RMSprop(
        parameters,
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        foreach=True,
    )


def build_optimizer(
    model: nn.Module, name: str, settings: Descent, *, encoder_lr: float | None = None
) -> Optimizer:
    """Return the named optimiser over all weights of ``model`` that learn.

    With ``encoder_lr`` those of its encoder learn at that rate.
    """
    build = load("optimizer", name, OPTIMIZERS)
    groups = weight_groups(model, settings, encoder_lr=encoder_lr)
    optimizer: Optimizer = build(groups, settings)
    return optimizer


def weight_groups(
    model: nn.Module, settings: Descent, *, encoder_lr: float | None = None
) -> Parameters:
    """Return the weights that learn, in one group or in as many as learn each in a way of its own.

    The first is of the learning rate that is told of a run.
    """
    spares = not settings.decay_norms and settings.weight_decay > 0
    ways: dict[tuple[float | None, float | None], list[nn.Parameter]] = {}
    slow: set[nn.Parameter] = set()
    if encoder_lr is not None:
        slow = {p for part in encoder_of(model) for p in part.parameters()}
    for parameter in model.parameters():
        # A vector is a bias, or a scale or shift of a normalisation.
        spared = spares and parameter.ndim <= 1
        way = (encoder_lr if parameter in slow else None, 0.0 if spared else None)
        if parameter.requires_grad:
            ways.setdefault(way, []).append(parameter)
    groups: list[dict[str, Any]] = []
    for (lr, decay), parameters in sorted(ways.items(), key=lambda one: one[0][0] is not None):
        own = {"lr": lr, "weight_decay": decay}
        groups.append({"params": parameters} | {k: v for k, v in own.items() if v is not None})
    return groups
