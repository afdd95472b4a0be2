"""Losses over logits; void pixels never count.

A loss is a module called with logits ``(batch, channels, height, width)`` and targets
``(batch, height, width)`` of class indices with `VOID`, which returns `LossPerImage`. It says by
``out_channels`` how many channels it wants the network to have. Computed in ``float32``.
What `LOSSES` names builds one, from its settings, the number of classes and a `Weigh`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainer.catalogue.losses import LOSSES, loss_terms
from trainer.settings import Settings, load

# Returns the weights ``(num_classes,)`` of the named kind, None for none.
Weigh = Callable[[str], Tensor | None]

# Where every pixel is void the sum of losses is 0, and so is their mean.
SMALLEST_WEIGHT = 1e-12


class LossPerImage(NamedTuple):
    """What each image adds to a loss, and how much it counts; ``(batch, terms)`` both.

    A loss over pixels has one term, a sum of losses one for each. A cross-entropy gives the sum
    over the labelled pixels and the sum of their weights, a loss of whole images its value and 1.
    Added up over images first, then divided (`mean_loss`), that is the mean of a batch, of a
    split however it was cut into batches, and of a batch that several devices share.
    """

    value: Tensor
    weight: Tensor

    def sums(self) -> Tensor:
        """Return both added up over the images, ``(2, terms)``."""
        return torch.stack([self.value.sum(dim=0), self.weight.sum(dim=0)])


def mean_loss(sums: Tensor) -> Tensor:
    """Return the scalar loss of `LossPerImage.sums`, or of several of them added up."""
    value, weight = sums
    mean: Tensor = (value / weight.clamp(min=SMALLEST_WEIGHT)).sum()
    return mean


class WeightedSum(nn.Module):
    """Several losses times their factors, as one: each is a term of its own."""

    def __init__(self, factors: Sequence[float], losses: Sequence[nn.Module]) -> None:
        super().__init__()
        self._factors = factors
        self.losses = nn.ModuleList(losses)
        wanted = {one.out_channels for one in losses if not getattr(one, "adapts", False)}
        if len(wanted) > 1:
            raise ValueError(
                "loss: one of its terms wants one channel and another one a class; take bce or "
                "cross-entropy, not both"
            )
        self.out_channels = wanted.pop() if wanted else losses[0].out_channels

    def forward(self, logits: Tensor, target: Tensor) -> LossPerImage:
        terms: list[LossPerImage] = [loss(logits, target) for loss in self.losses]
        values = [factor * term.value for factor, term in zip(self._factors, terms, strict=True)]
        return LossPerImage(torch.cat(values, 1), torch.cat([term.weight for term in terms], 1))


def build_loss(name: str, settings: Settings, num_classes: int, weigh: Weigh) -> nn.Module:
    """Return the named loss, or weighted sum of losses.

    Raises ``ValueError`` when it does not fit the number of classes.
    """
    factors, names = zip(*loss_terms(name), strict=True)
    losses = [load("loss", one, LOSSES)(settings, num_classes, weigh) for one in names]
    if len(losses) == 1 and factors == (1.0,):
        only: nn.Module = losses[0]
        return only
    return WeightedSum(factors, losses)
