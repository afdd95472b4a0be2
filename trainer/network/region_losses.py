"""Losses of whole regions: a value an image, which counts as one wherever a pixel is labelled.

Two classes are told by one channel, whose sigmoid is the foreground's probability, unless
another loss of a sum wants one a class; then all classes count, the background too.
"""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from trainer.catalogue.losses import TverskyLoss
from trainer.data.collection import VOID
from trainer.network.losses import LossPerImage, Weigh
from trainer.settings import Settings

# Pixels that are right in every class besides those that are. So a class that is neither there
# nor predicted is a perfect one, and one that is predicted without being there has a gradient.
RIGHT = 0.5
# Below any error of a pixel that counts, so that void is sorted behind them all.
LAST = -1.0


class RegionLoss(nn.Module):
    """A loss of the probabilities ``(batch, classes, pixels)`` of each class in each image."""

    adapts = True
    """It takes one channel, or one a class."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.out_channels = 1 if num_classes == 2 else num_classes

    def forward(self, logits: Tensor, target: Tensor) -> LossPerImage:
        logits = logits.float().flatten(2)
        target = target.flatten(1)[:, None]
        labelled = target != VOID
        if logits.shape[1] == 1:
            probabilities, truth = torch.sigmoid(logits), target == 1
        else:
            classes = torch.arange(logits.shape[1], device=logits.device)[None, :, None]
            probabilities, truth = torch.softmax(logits, dim=1), target == classes
        value = self.of_classes(probabilities * labelled, truth & labelled, labelled)
        counts = labelled.any(dim=2).float()
        return LossPerImage(value[:, None] * counts, counts)

    @abstractmethod
    def of_classes(self, probabilities: Tensor, truth: Tensor, labelled: Tensor) -> Tensor:
        """Return the loss of each image ``(batch,)``; probabilities and truth are 0 at void."""


class Overlap(RegionLoss):
    """1 − (I + ½) / (I + a·invented + b·missed + ½), the mean over classes, in soft counts.

    With a = b = ½ that is soft Dice (Milletari et al., 3DV 2016, arXiv 1606.04797), with
    a = b = 1 soft Jaccard, with others Tversky's index (Salehi et al., arXiv 1706.05721).
    """

    def __init__(self, num_classes: int, *, invented: float, missed: float) -> None:
        super().__init__(num_classes)
        self._invented, self._missed = invented, missed

    def of_classes(self, probabilities: Tensor, truth: Tensor, labelled: Tensor) -> Tensor:  # noqa: ARG002
        right = (probabilities * truth).sum(dim=2)
        invented = probabilities.sum(dim=2) - right
        missed = truth.sum(dim=2) - right
        wrong = self._invented * invented + self._missed * missed
        return (wrong / (right + wrong + RIGHT)).mean(dim=1)


class Lovasz(RegionLoss):
    """Lovász-Softmax, or for one channel Lovász-sigmoid: Jaccard's loss extended to probabilities.

    Berman et al., CVPR 2018, arXiv 1705.08790. The mean over the classes that an image has.
    """

    def of_classes(self, probabilities: Tensor, truth: Tensor, labelled: Tensor) -> Tensor:
        errors = torch.where(labelled, (truth.float() - probabilities).abs(), LAST)
        errors, order = errors.sort(dim=2, descending=True)
        truth = truth.gather(2, order).float()
        there = truth.sum(dim=2, keepdim=True)
        missed = there - truth.cumsum(dim=2)
        union = there + (1 - truth).cumsum(dim=2)
        jaccard = 1 - missed / union
        steps = torch.diff(jaccard, dim=2, prepend=torch.zeros_like(jaccard[..., :1]))
        losses = (torch.relu(errors) * steps).sum(dim=2)
        if losses.shape[1] == 1:
            return losses[:, 0]
        has = (there[..., 0] > 0).float()
        return (losses * has).sum(dim=1) / has.sum(dim=1).clamp(min=1)


def dice(settings: Settings, num_classes: int, weigh: Weigh) -> nn.Module:  # noqa: ARG001
    """Return the soft Dice loss."""
    return Overlap(num_classes, invented=0.5, missed=0.5)


def jaccard(settings: Settings, num_classes: int, weigh: Weigh) -> nn.Module:  # noqa: ARG001
    """Return the soft Jaccard loss."""
    return Overlap(num_classes, invented=1.0, missed=1.0)


def tversky(settings: TverskyLoss, num_classes: int, weigh: Weigh) -> nn.Module:  # noqa: ARG001
    """Return the Tversky loss."""
    missed = settings.tversky_beta
    return Overlap(num_classes, invented=1 - missed, missed=missed)


def lovasz(settings: Settings, num_classes: int, weigh: Weigh) -> nn.Module:  # noqa: ARG001
    """Return the Lovász loss."""
    return Lovasz(num_classes)
