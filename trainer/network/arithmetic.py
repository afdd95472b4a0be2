"""How a network computes: from bytes to logits, the same when it is scored and when it is used.

This file travels inside every registered model (see `trainer.prediction.registry.SHIPPED`).
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FLOAT32 = "float32"


class Arithmetic:
    """Normalise images and run a network on them, its convolutions in ``dtype``.

    Images travel as ``uint8`` and become floats on the device: a quarter of the bytes to move.
    Weights stay ``float32`` and so are the logits; under ``bfloat16`` the layers between are
    computed in it. ``mean`` and ``std`` are those of each channel for values from 0 to 1.
    """

    def __init__(
        self, *, mean: Sequence[float], std: Sequence[float], device: torch.device
    ) -> None:
        self.device = device
        self._mean = torch.tensor(mean, device=device).view(1, -1, 1, 1) * 255
        self._std = torch.tensor(std, device=device).view(1, -1, 1, 1) * 255

    def place(self, network: nn.Module) -> nn.Module:
        """Return the network on the device, laid out as `outputs` wants it."""
        # Channels-last is what the convolution kernels want: 1.1 to 1.3 times as fast on a CPU.
        placed: nn.Module = network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    def outputs(self, network: nn.Module, images: Tensor, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Return ``float32`` logits of ``uint8 (batch, channels, height, width)`` images.

        The network's own come first; a network that is training may give auxiliary ones after
        them, which it wants to be learnt from too.
        """
        images = images.to(self.device, non_blocking=True, memory_format=torch.channels_last)
        normalised = (images.float() - self._mean) / self._std
        cast = torch.autocast(self.device.type, dtype=dtype, enabled=dtype != torch.float32)
        with cast, _tensor_float_32(allowed=network.training):
            given = network(normalised)
        return tuple(each.float() for each in (given if isinstance(given, tuple) else (given,)))


def _tensor_float_32(*, allowed: bool) -> AbstractContextManager[None]:
    """Say whether a GPU's ``float32`` convolutions may drop 13 bits of each factor.

    It does by itself; a score would then be another than the processor's.
    """
    now = torch.backends.cudnn
    context: AbstractContextManager[None] = now.flags(
        enabled=now.enabled,
        benchmark=now.benchmark,
        deterministic=now.deterministic,
        allow_tf32=allowed,
    )
    return context
