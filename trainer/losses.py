"""Losses over logits; void pixels never count.

A loss is a module called with logits ``(batch, channels, height, width)`` and targets
``(batch, height, width)`` of class indices with `VOID`, which returns two scalars: the weighted sum
of the labelled pixels' losses, and the sum of their weights. One by the other is the mean to learn
from; summed over batches first, it is the mean of a whole split, however it was cut into batches.
A loss says by `out_channels` how many channels it wants the network to have.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.catalogue import LOSSES
from trainer.data.collection import VOID
from trainer.names import load


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

    def forward(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        labelled = target != VOID
        foreground = (target == 1).to(logits.dtype)
        weight = labelled.to(logits.dtype)
        if self.class_weights is not None:
            weight = weight * torch.lerp(self.class_weights[0], self.class_weights[1], foreground)
        total = F.binary_cross_entropy_with_logits(
            logits[:, 0], foreground, weight=weight, reduction="sum"
        )
        return total, weight.sum()


class CrossEntropy(nn.Module):
    """Cross-entropy of any number of classes from one channel each."""

    class_weights: Tensor | None

    def __init__(self, num_classes: int, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.out_channels = num_classes
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        target = target.long()
        total = F.cross_entropy(
            logits, target, weight=self.class_weights, ignore_index=VOID, reduction="sum"
        )
        # Multiplied, not chosen: a choice of pixels would make the processor wait for a GPU.
        weight = (target != VOID).to(logits.dtype)
        if self.class_weights is not None:
            weight = weight * self.class_weights[target.clamp(max=self.out_channels - 1)]
        return total, weight.sum()


def build_loss(name: str, num_classes: int, class_weights: Tensor | None = None) -> nn.Module:
    """Return the named loss; ``auto`` is bce for two classes and cross-entropy for more.

    ``class_weights`` is ``(num_classes,)`` or None. Raises ``ValueError`` when the loss does not
    fit the number of classes.
    """
    if name == "auto":
        name = "bce" if num_classes == 2 else "cross-entropy"
    loss: nn.Module = load("loss", name, LOSSES)(num_classes, class_weights)
    return loss
