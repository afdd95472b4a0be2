"""Losses that are a mean over pixels: each returns a sum an image, and the weight of its pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.catalogue.losses import FocalLoss, SmoothedLoss
from trainer.data.collection import VOID
from trainer.network.losses import LossPerImage, Weigh
from trainer.settings import Settings


class PixelLoss(nn.Module):
    """A mean over labelled pixels, each with the weight of its class."""

    class_weights: Tensor | None

    def __init__(self, out_channels: int, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.register_buffer("class_weights", class_weights, persistent=False)

    def weights(self, target: Tensor) -> Tensor:
        """Return the weight of each pixel ``(batch, height, width)``, 0 where it is void."""
        # Multiplied, not chosen: a choice of pixels would make the processor wait for a GPU.
        labelled = (target != VOID).float()
        if self.class_weights is None:
            return labelled
        return labelled * self.class_weights[_inside(target, len(self.class_weights))]


class BinaryCrossEntropy(PixelLoss):
    """Cross-entropy of two classes from one channel, the logit of class 1."""

    def __init__(
        self, num_classes: int, class_weights: Tensor | None = None, *, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(1, class_weights)
        if num_classes != 2:
            raise ValueError(
                f"loss: bce is for two classes, the data has {num_classes}; use cross-entropy"
            )
        self._smoothing = label_smoothing

    def forward(self, logits: Tensor, target: Tensor) -> LossPerImage:
        weight = self.weights(target)
        losses = self._against(logits, (target == 1).float(), weight)
        if self._smoothing:
            # As torch smooths: in what is spread over all classes each has its own weight.
            spread = torch.zeros_like(losses)
            for label in (0, 1):
                alike = torch.where(target == VOID, target, label)
                spread += self._against(logits, (alike == 1).float(), self.weights(alike)) / 2
            losses = torch.lerp(losses, spread, self._smoothing)
        return _over_pixels(losses, weight)

    @staticmethod
    def _against(logits: Tensor, foreground: Tensor, weight: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            logits[:, 0].float(), foreground, weight=weight, reduction="none"
        )


class CrossEntropy(PixelLoss):
    """Cross-entropy of any number of classes from one channel each."""

    def __init__(
        self, num_classes: int, class_weights: Tensor | None = None, *, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(num_classes, class_weights)
        self._smoothing = label_smoothing

    def forward(self, logits: Tensor, target: Tensor) -> LossPerImage:
        losses = F.cross_entropy(
            logits.float(),
            target.long(),
            weight=self.class_weights,
            ignore_index=VOID,
            label_smoothing=self._smoothing,
            reduction="none",
        )
        return _over_pixels(losses, self.weights(target))


class Focal(PixelLoss):
    """Cross-entropy times (1 − p)^γ: what is right already counts little.

    Lin et al., ICCV 2017, arXiv 1708.02002. Two classes are told by one channel.
    """

    def __init__(
        self, num_classes: int, class_weights: Tensor | None = None, *, gamma: float = 2.0
    ) -> None:
        super().__init__(1 if num_classes == 2 else num_classes, class_weights)
        self._gamma = gamma

    def forward(self, logits: Tensor, target: Tensor) -> LossPerImage:
        logits = logits.float()
        if logits.shape[1] == 1:
            # The logits 0 and z give the probabilities that the sigmoid of z gives.
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        log_all = F.log_softmax(logits, dim=1)
        log_p = log_all.gather(1, _inside(target, logits.shape[1])[:, None])[:, 0]
        weight = self.weights(target)
        # log1p of −p, and not a power of 1 − p, whose gradient has no end where p rounds to 1.
        far = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        return _over_pixels(-log_p * far**self._gamma * weight, weight)


class CategoricalHinge(PixelLoss):
    """max(0, 1 + the highest probability of a wrong class − that of the right one).

    Of probabilities, as Keras users have it; one channel a class.
    """

    def forward(self, logits: Tensor, target: Tensor) -> LossPerImage:
        probabilities = torch.softmax(logits.float(), dim=1)
        truth = _inside(target, logits.shape[1])[:, None]
        right = probabilities.gather(1, truth)[:, 0]
        wrong = probabilities.scatter(1, truth, 0.0).amax(dim=1)
        weight = self.weights(target)
        return _over_pixels(torch.relu(1 + wrong - right) * weight, weight)


def _inside(target: Tensor, num_classes: int) -> Tensor:
    """Return the target as indices, void as the last class: its weight is 0 anyway."""
    return target.clamp(max=num_classes - 1).long()


def _over_pixels(losses: Tensor, weight: Tensor) -> LossPerImage:
    return LossPerImage(
        losses.flatten(1).sum(1, keepdim=True), weight.flatten(1).sum(1, keepdim=True)
    )


def bce(settings: SmoothedLoss, num_classes: int, weigh: Weigh) -> nn.Module:
    """Return the loss of two classes from one channel."""
    weights = weigh(settings.class_weights)
    return BinaryCrossEntropy(num_classes, weights, label_smoothing=settings.label_smoothing)


def cross_entropy(settings: SmoothedLoss, num_classes: int, weigh: Weigh) -> nn.Module:
    """Return the loss of any number of classes."""
    weights = weigh(settings.class_weights)
    return CrossEntropy(num_classes, weights, label_smoothing=settings.label_smoothing)


def auto(settings: SmoothedLoss, num_classes: int, weigh: Weigh) -> nn.Module:
    """Return `bce` for two classes and `cross_entropy` for more."""
    return (bce if num_classes == 2 else cross_entropy)(settings, num_classes, weigh)


def focal(settings: FocalLoss, num_classes: int, weigh: Weigh) -> nn.Module:
    """Return the focal loss."""
    return Focal(num_classes, weigh(settings.class_weights), gamma=settings.focal_gamma)


def hinge(settings: Settings, num_classes: int, weigh: Weigh) -> nn.Module:  # noqa: ARG001
    """Return the categorical hinge."""
    return CategoricalHinge(num_classes)
