"""From a batch of bytes to logits and loss: the one path of training and evaluation."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainer.arithmetic import DTYPES, Arithmetic
from trainer.catalogue import PRECISIONS
from trainer.data.loading import Batch
from trainer.losses import mean_loss
from trainer.names import check

CPU_INFO = Path("/proc/cpuinfo")
AUTO_VARIABLE = "SEGSCOPE_AUTO_PRECISION"


class Passed(NamedTuple):
    """What a batch gave: logits ``(batch, channels, height, width)`` and its loss."""

    logits: Tensor
    loss: Tensor
    """A scalar to learn from: the batch's mean, and that of the auxiliary logits beside it."""
    sums: Tensor
    """What it adds to the loss of a split: `trainer.losses.LossPerImage.sums`, detached."""


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


def choose_device(name: str) -> torch.device:
    """Return the device that ``name`` means; ``auto`` is the first GPU, else the processor.

    Raises ``ValueError`` for a device that is unknown or not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device: unknown {name!r}; give auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device: {name!r} is not supported; give auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device: {name} is not there; this machine has "
            f"{torch.cuda.device_count()} CUDA devices"
        )
    return device


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the type to train in; ``auto`` is bfloat16 where the hardware computes in it.

    A processor without such instructions emulates it more slowly than ``float32``. What ``auto``
    means is said for all of a machine, or of a mixed cluster, by ``SEGSCOPE_AUTO_PRECISION``;
    ``ValueError`` when that is no precision.
    """
    if precision == "auto":
        precision = os.environ.get(AUTO_VARIABLE) or (
            "bfloat16" if _computes_bfloat16(device) else "float32"
        )
        check(AUTO_VARIABLE, precision, DTYPES)
    check("precision", precision, PRECISIONS)
    return DTYPES[precision]


def processor_name(device: torch.device) -> str:
    """Return what computes: the GPU's name, or the processor's; empty where neither is known."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    lines = _processor_lines("model name")
    return next(iter(lines), "") or platform.processor() or platform.machine()


def _computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(_processor_flags())


def _processor_flags() -> set[str]:
    return set(next(iter(_processor_lines("flags", "Features")), "").split())


def _processor_lines(*keys: str) -> list[str]:
    try:
        text = CPU_INFO.read_text(encoding="utf-8")
    except OSError:
        return []  # Not Linux: float32 is always right.
    pairs = (line.partition(":") for line in text.splitlines())
    return [value.strip() for key, _, value in pairs if key.strip() in keys]
