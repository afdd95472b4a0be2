"""From a batch of bytes to logits and loss: the one path of training and evaluation."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainer.data.loading import Batch
from trainer.network.arithmetic import Arithmetic
from trainer.network.losses import mean_loss


class Passed(NamedTuple):
    """What a batch gave: logits ``(batch, channels, height, width)`` and its loss."""

    logits: Tensor
    loss: Tensor
    """A scalar to learn from: the batch's mean, and that of the auxiliary logits beside it."""
    sums: Tensor
    """What it adds to the loss of a split: `trainer.network.losses.LossPerImage.sums`, detached."""


class Forward:
    """Bring a batch to the device, normalise it, and return logits and loss.

    A model that is training computes in ``dtype``. One that is evaluated computes in
    ``eval_dtype``, as it does wherever it is used afterwards: a score is of no use where it is
    another arithmetic's. The loss is ``float32`` always.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        dtype: torch.dtype,
        eval_dtype: torch.dtype = torch.float32,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self._eval_dtype = eval_dtype
        self._arithmetic = Arithmetic(mean=mean, std=std, device=device)
        self.model = self._arithmetic.place(model)
        self._auxiliary_weight = float(getattr(model, "auxiliary_weight", 0))
        self.loss = loss.to(device)

    def __call__(self, batch: Batch) -> Passed:
        """Return logits and loss of a batch, ``float32`` both."""
        dtype = self.dtype if self.model.training else self._eval_dtype
        logits, *auxiliary = self._arithmetic.outputs(self.model, batch.images, dtype)
        targets = batch.targets.to(self.device, non_blocking=True)
        sums: Tensor = self.loss(logits, targets).sums()
        loss = mean_loss(sums)
        for others in auxiliary:
            aside = mean_loss(self.loss(others, targets).sums())
            loss = loss + self._auxiliary_weight * aside
        return Passed(logits, loss, sums.detach())
