"""Losses over logits; void pixels never count.

A loss is a module called with logits ``(batch, channels, height, width)`` and targets
``(batch, height, width)`` of class indices with `VOID`, which returns `LossPerImage`. It says by
`out_channels` how many channels it wants the network to have.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.catalogue import LOSSES, WeightedLoss
from trainer.data.collection import VOID
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


class BinaryCrossEntropy(nn.Module):
    """Cross-entropy of two classes from one channel, the logit of class 1."""

    class_weights: Tensor | None

    def __init__(self, num_classes: int, class_weights: Tensor | None = None) -> None:
        super().__init__()
        if num_classes != 2:
            raise ValueError(
                f"loss: bce is for two classes, the data has {num_classes}; use cross-entropy"
            )
        self.out_channels = 1
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> LossPerImage:
        labelled = target != VOID
        foreground = (target == 1).to(logits.dtype)
        weight = labelled.to(logits.dtype)
        if self.class_weights is not None:
            weight = weight * torch.lerp(self.class_weights[0], self.class_weights[1], foreground)
        losses = F.binary_cross_entropy_with_logits(
            logits[:, 0], foreground, weight=weight, reduction="none"
        )
        return _over_pixels(losses, weight)


class CrossEntropy(nn.Module):
    """Cross-entropy of any number of classes from one channel each."""

    class_weights: Tensor | None

    def __init__(self, num_classes: int, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.out_channels = num_classes
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> LossPerImage:
        target = target.long()
        losses = F.cross_entropy(
            logits, target, weight=self.class_weights, ignore_index=VOID, reduction="none"
        )
        # Multiplied, not chosen: a choice of pixels would make the processor wait for a GPU.
        weight = (target != VOID).to(logits.dtype)
        if self.class_weights is not None:
            weight = weight * self.class_weights[target.clamp(max=self.out_channels - 1)]
        return _over_pixels(losses, weight)


def _over_pixels(losses: Tensor, weight: Tensor) -> LossPerImage:
    return LossPerImage(
        losses.flatten(1).sum(1, keepdim=True), weight.flatten(1).sum(1, keepdim=True)
    )


def bce(settings: WeightedLoss, num_classes: int, weigh: Weigh) -> nn.Module:
    """Return the loss of two classes from one channel."""
    return BinaryCrossEntropy(num_classes, weigh(settings.class_weights))


def cross_entropy(settings: WeightedLoss, num_classes: int, weigh: Weigh) -> nn.Module:
    """Return the loss of any number of classes."""
    return CrossEntropy(num_classes, weigh(settings.class_weights))


def auto(settings: WeightedLoss, num_classes: int, weigh: Weigh) -> nn.Module:
    """Return `bce` for two classes and `cross_entropy` for more."""
    return (bce if num_classes == 2 else cross_entropy)(settings, num_classes, weigh)


def build_loss(name: str, settings: Settings, num_classes: int, weigh: Weigh) -> nn.Module:
    """Return the named loss; ``ValueError`` when it does not fit the number of classes."""
    loss: nn.Module = load("loss", name, LOSSES)(settings, num_classes, weigh)
    return loss
